"""New rows are rejected at the rate asked for, and those that fit nowhere are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pyro_gmvae import GMVAE
from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments import assign, calibrate
from pyro_gmvae.segments.rejection.scores import HeldOutScores

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CENTRES = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 9.0]])  # the first two touch


def points(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return CENTRES[rng.integers(3, size=n)] + rng.normal(size=(n, 2))


def customers(n: int, seed: int, gaps: float = 0.3) -> pd.DataFrame:
    """Two groups, in amounts, counts and words; half of the rows have gaps."""
    rng = np.random.default_rng(seed)
    group = rng.integers(2, size=n)
    frame = pd.DataFrame(
        {
            "income": np.exp(rng.normal(10 + group, 0.3)).round(),
            "visits": rng.poisson(2 + 6 * group),
            "age": rng.normal(40 + 10 * group, 5).round(1),
            "channel": np.where(rng.random(n) < 0.2 + 0.6 * group, "web", "shop"),
            # Two columns of the model: whether there is a refund, and how much.
            "refund": np.where(rng.random(n) < 0.2, rng.gamma(3.0, 10.0, n).round(2), 0.0),
        }
    )
    if gaps:
        gone = (rng.random(frame.shape) < gaps) & (rng.random(n) < 0.5)[:, None]
        frame = frame.mask(gone)
    return frame


def dataset(model: GMVAE, x: object) -> Dataset:
    return model._ready(x)[0]


def on(fitted: FittedModel, held_out: Dataset, num_samples: int = 20) -> FittedModel:
    """The model, calibrated on these rows."""
    none = held_out.subset(torch.arange(0))
    calibration = calibrate(fitted, Splits(none, none, held_out), num_samples=num_samples)
    return replace(fitted, calibration=calibration)


@pytest.fixture(scope="module")
def model() -> GMVAE:
    return GMVAE(3, max_iter=10, random_state=0, device="cpu").fit(points(1500, 0))


@pytest.fixture(scope="module")
def mixed() -> GMVAE:
    return GMVAE(2, max_iter=10, random_state=0, device="cpu").fit(customers(1500, 0))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("kind", ["numbers", "mixed"])
def test_the_rate_on_new_rows(kind: str, rate: float, model: GMVAE, mixed: GMVAE) -> None:
    own, draw = (model, points) if kind == "numbers" else (mixed, customers)
    rejected = []
    for seed in range(3):
        fitted = on(own.fitted_, dataset(own, draw(1000, 10 + seed)))
        found = assign(fitted, dataset(own, draw(1500, 20 + seed)).x, reject=rate)
        rejected.append((found.cluster == -1).double().mean().item())
    # Its standard error is 0.9 points at a rate of 0.2, and less at the others.
    assert abs(np.mean(rejected) - rate) < max(0.01, 0.05 * rate)


def test_rows_with_gaps_are_as_typical_as_others(mixed: GMVAE) -> None:
    fitted = on(mixed.fitted_, dataset(mixed, customers(1000, 10)))
    assert fitted.calibration is not None and len(fitted.calibration.cell_log_p) == 5
    assert mixed.encoding_.model_shape == (6,)
    new = customers(2000, 20)
    found = assign(fitted, dataset(mixed, new).x, density=True)
    assert found.typicality is not None and found.log_p is not None
    gaps = torch.tensor(new.isna().any(axis=1).to_numpy())
    assert 0.3 < gaps.double().mean() < 0.6
    # In raw units they are likelier by several nats, for lack of an income.
    assert found.log_p[gaps].mean() - found.log_p[~gaps].mean() > 2
    assert abs(found.typicality[gaps].mean() - found.typicality[~gaps].mean()) < 0.05
    assert abs(found.typicality[gaps].mean() - 0.5) < 0.05


def test_outliers_are_unlike_and_rows_between_touching_groups_are_torn(model: GMVAE) -> None:
    fitted = on(model.fitted_, dataset(model, points(1000, 10)))
    rng = np.random.default_rng(5)
    far = rng.normal(size=(50, 2)) + [12.0, -12.0]
    between = np.column_stack([np.full(50, 1.5), rng.uniform(-0.5, 0.5, 50)])
    typical = CENTRES.repeat(20, 0)
    found = assign(fitted, dataset(model, np.concatenate([far, between, typical])).x, reject=0.15)
    assert found.because == ("unlike",) * 50 + ("torn",) * 50 + ("",) * 60
    assert (found.cluster[:100] == -1).all() and (found.cluster[100:] >= 0).all()
    # The two clusters of a torn row are still told.
    assert (found.probability[50:100] < 0.9).all()
    near = {int(found.likeliest[100]), int(found.likeliest[120])}
    pairs = zip(found.likeliest[50:100].tolist(), found.second[50:100].tolist(), strict=True)
    assert {frozenset(pair) for pair in pairs} == {frozenset(near)}


def test_the_columns_are_those_of_the_responsibilities(model: GMVAE) -> None:
    x = points(200, 3)
    frame = model.assign(x)
    each = model.predict_proba(x)
    np.testing.assert_array_equal(frame["cluster"], each.argmax(1))
    np.testing.assert_array_equal(frame["cluster"], model.predict(x))
    ordered = np.sort(each, 1)
    np.testing.assert_array_equal(frame["probability"], ordered[:, -1])
    np.testing.assert_array_equal(frame["second_probability"], ordered[:, -2])
    assert (frame["cluster"] != frame["second_cluster"]).all()
    np.testing.assert_allclose(frame["log_p"], model.score_samples(x))


def test_a_row_depends_on_no_other_row(model: GMVAE) -> None:
    x = points(60, 4)
    whole = model.assign(x, reject=0.05)
    alone = pd.concat([model.assign(x[i : i + 1], reject=0.05) for i in range(0, 60, 7)])
    np.testing.assert_allclose(alone["log_p"], whole["log_p"][::7], rtol=1e-5)
    for column in ("cluster", "rejected_because"):
        assert alone[column].tolist() == whole[column][::7].tolist()


def test_a_frame_keeps_its_index(mixed: GMVAE) -> None:
    new = customers(5, 1).set_axis(list("abcde"))
    assert mixed.assign(new).index.tolist() == list("abcde")


def test_one_cluster_has_no_second() -> None:
    model = GMVAE(1, max_iter=2, random_state=0, device="cpu").fit(points(100, 0))
    frame = model.assign(points(5, 1))
    assert frame["second_cluster"].tolist() == [-1] * 5
    assert frame["second_probability"].tolist() == [0.0] * 5
    assert frame["typicality"].isna().all()  # of 100 rows none was held out


def test_images() -> None:
    rng = np.random.default_rng(0)

    def draw(n: int) -> np.ndarray:
        """Bright left or right halves, with noise."""
        right = rng.integers(2, size=n)[:, None, None] == (np.arange(8) // 4)[None, None]
        return (40 + 150 * right + rng.integers(0, 40, size=(n, 8, 8))).astype(np.uint8)

    options = {"regularize": "none", "init_params": "kmeans", "device": "cpu"}
    model = GMVAE(2, max_iter=3, hidden=(16,), random_state=0, **options).fit(draw(600))
    rejected = []
    for _ in range(4):
        fitted = on(model.fitted_, dataset(model, draw(500)))
        found = assign(fitted, dataset(model, draw(500)).x, reject=0.1)
        rejected.append((found.cluster == -1).double().mean().item())
    assert abs(np.mean(rejected) - 0.1) < 0.03  # three standard errors
    checkered = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)
    odd = assign(fitted, dataset(model, checkered[None].repeat(3, 0)).x, reject=0.1)
    assert odd.because == ("unlike",) * 3


def test_weights_say_which_rows_new_ones_are_like(model: GMVAE) -> None:
    """Held-out rows of the far group count ten times; new rows come from there as often."""
    rates, rng = [], np.random.default_rng(0)
    share = np.array([1, 1, 10]) / 12
    for _ in range(4):
        y = rng.integers(3, size=1500)
        held = dataset(model, CENTRES[y] + rng.normal(size=(1500, 2)))
        weights = torch.tensor(np.where(y == 2, 10.0, 1.0))
        fitted = on(model.fitted_, replace(held, weights=weights))
        y = rng.choice(3, size=2000, p=share)
        new = dataset(model, CENTRES[y] + rng.normal(size=(2000, 2)))
        rates.append((assign(fitted, new.x, reject=0.1).cluster == -1).double().mean().item())
        assert fitted.calibration is not None and len(fitted.calibration) == 1500
    assert abs(np.mean(rates) - 0.1) < 0.015


def test_rows_of_weight_zero_are_never_drawn() -> None:
    log_p = torch.arange(10.0, dtype=torch.float64)
    bare = torch.zeros(10, 0, dtype=torch.float64)
    scores = HeldOutScores(log_p, torch.ones(10), bare, bare.bool())
    weights = torch.tensor([0.0] * 9 + [1.0], dtype=torch.float64)
    assert scores.calibration(10, weights).log_p.tolist() == [9.0]


def test_without_held_out_rows_nothing_is_rejected_blindly(model: GMVAE) -> None:
    bare = replace(model.fitted_, calibration=None)
    with pytest.raises(InputError, match="hold rows out"):
        assign(bare, dataset(model, points(3, 1)).x, reject=0.1)
    small = GMVAE(2, max_iter=1, random_state=0, device="cpu").fit(points(60, 0))
    with pytest.raises(InputError, match="fit it with reject, or hold out at least 50 rows"):
        small.assign(points(3, 1), reject=0.1)


def test_the_number_of_rows_is_limited(model: GMVAE) -> None:
    fitted = on(model.fitted_, dataset(model, points(2500, 0)), num_samples=2)
    assert fitted.calibration is not None
    assert len(fitted.calibration) == 2000 and fitted.calibration.num_samples == 2
