"""Training by pieces is as good as one on all rows, forgets nothing, and keeps the numbers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from benchmarks.tables.generators import bar
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.estimator.pieces import EarlierRows, _typed_like
from pyro_gmvae.fitting.plan import Plan

BRIEF: dict[str, Any] = {"hidden": (8,), "random_state": 0, "init_params": "mixture"}


def blobs(rows: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    return 6 * np.eye(3)[y] + rng.normal(size=(rows, 3)), y


def by_pieces(model: GMVAE, x: Any, pieces: int) -> GMVAE:
    for begin in range(0, len(x), -(-len(x) // pieces)):
        model.partial_fit(x[begin : begin + -(-len(x) // pieces)])
    return model


def test_the_earlier_rows_are_a_uniform_sample() -> None:
    """Of 1,000 rows in pieces of unequal sizes each is kept with the same probability."""
    kept = torch.zeros(1_000)
    for seed in range(400):
        rows = EarlierRows.of(torch.arange(100.0)[:, None], None, seed=seed, most=50)
        for begin, end in ((100, 110), (110, 700), (700, 1_000)):
            rows = rows.with_rows(
                torch.arange(float(begin), end)[:, None], None, seed=1_000 * seed, most=50
            )
        assert (rows.n_seen, len(rows.x)) == (1_000, 50)
        kept[rows.x.flatten().long()] += 1
    shares = [kept[a:b].mean() / 400 for a, b in ((0, 100), (100, 110), (110, 700), (700, 1_000))]
    for share, size in zip(shares, (100, 10, 590, 300), strict=True):
        assert abs(share - 0.05) < 5 * (0.05 * 0.95 / (400 * size)) ** 0.5


def test_earlier_rows_weigh_as_much_as_all_that_they_stand_for() -> None:
    model = GMVAE(3, max_iter=1, **BRIEF).partial_fit(blobs()[0])
    piece = model._ready(blobs(50)[0])[0]
    earlier = EarlierRows.of(torch.zeros(200, 3).double(), None, seed=0, most=40)
    joined = earlier.beside(piece)
    assert joined.weights is not None
    assert joined.weights.tolist() == [5.0] * 40 + [1.0] * 50
    few = EarlierRows.of(torch.zeros(20, 3).double(), None, seed=0)
    assert few.beside(piece).weights is None  # all rows are there, and count alike


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_numbers_by_pieces_are_as_one_fit_and_keep_their_clusters() -> None:
    x, _ = blobs()
    new, groups = blobs(300, seed=1)
    whole = GMVAE(3, max_iter=4, **BRIEF).fit(x)
    model = GMVAE(3, max_iter=4, **BRIEF).partial_fit(x[:80])
    first = model.predict(new)
    model.partial_fit(x[80:160]).partial_fit(x[160:])
    found = model.predict(new)
    assert (found == first).mean() > 0.98  # the numbers too
    index = adjusted_rand_score(groups, whole.predict(new))
    assert adjusted_rand_score(groups, found) > index - 0.02
    log_p = whole.score_samples(new)
    assert model.score(new) > log_p.mean() - log_p.std() / len(new) ** 0.5
    assert model.labels_.shape == (80,)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_groups_that_a_piece_lacks_are_not_forgotten() -> None:
    x, y = blobs()
    model = GMVAE(3, max_iter=3, **BRIEF).partial_fit(x)
    for _ in range(2):
        model.partial_fit(x[y == 0])
    assert adjusted_rand_score(y, model.predict(x)) > 0.95


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_images_go_on_from_their_weights_by_smaller_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (120, 4, 4), dtype=np.uint8)
    options = BRIEF | {"regularize": "none", "init_params": "random", "max_iter": 4}
    planned: list[Plan] = []
    train = GMVAE._train

    def seen(self: GMVAE, plan: Plan) -> None:
        planned.append(plan)
        train(self, plan)

    monkeypatch.setattr(GMVAE, "_train", seen)
    model = GMVAE(2, **options).partial_fit(images[:60])
    before = model.means_.copy()
    model.partial_fit(images[60:])
    first, second = (plan.config for plan in planned)
    assert (second.epochs, second.learning_rate) == (2, first.learning_rate / 2)
    assert 0 < np.abs(np.sort(model.means_, 0) - np.sort(before, 0)).max() < 0.1


def test_pieces_have_the_columns_of_the_first_and_a_saved_run_has_no_number(
    tmp_path: Path,
) -> None:
    x, _ = blobs()
    model = GMVAE(3, max_iter=1, **BRIEF).partial_fit(x)
    with pytest.raises(ValueError, match="3 features"):
        model.partial_fit(x[:, :2])
    again = pickle.loads(pickle.dumps(model)).partial_fit(x[:5])  # a few rows will do
    assert again._earlier.n_seen == 245
    model.save(tmp_path / "run")
    with pytest.raises(InputError, match="does not tell how many rows it stands for"):
        GMVAE.load(tmp_path / "run").partial_fit(x)


def test_draws_stand_for_the_rows_of_a_fit() -> None:
    x, true = blobs()
    model = GMVAE(3, **BRIEF).fit(x)
    before = model.predict(x)
    model.partial_fit(x[true == 0])  # a piece that lacks two of the groups
    assert model._earlier.n_seen == len(x) + (true == 0).sum()
    np.testing.assert_array_equal(model.predict(x), before)


def test_draws_of_images_are_images() -> None:
    x = torch.tensor([[-0.4, 12.6, 300.0]])
    like = torch.zeros(1, 3, dtype=torch.uint8)
    assert _typed_like(x, like).tolist() == [[0, 13, 255]]
    assert _typed_like(x, like).dtype == torch.uint8


@pytest.mark.slow
def test_mixed_columns_by_pieces_are_as_one_fit() -> None:
    table = bar(0, n=2_400)
    train, held_out, groups = table.frame[:1_600], table.frame[1_600:], table.labels[1_600:]
    options = {"n_components": table.clusters, "schema": table.kinds, "random_state": 0}
    whole, model = GMVAE(**options).fit(train), by_pieces(GMVAE(**options), train, 4)
    index = adjusted_rand_score(groups, whole.predict(held_out))
    assert adjusted_rand_score(groups, model.predict(held_out)) > index - 0.02
    log_p = whole.score_samples(held_out)
    assert model.score(held_out) > log_p.mean() - log_p.std() / len(log_p) ** 0.5
