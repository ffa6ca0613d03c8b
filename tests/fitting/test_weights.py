"""Rows with weights begin and train as repeated rows do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import Dataset, Splits, TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.begin import begin
from pyro_gmvae.fitting.numbering import number_by_size
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows, mixture_of
from pyro_gmvae.fitting.starts.raw_data import kmeans_clusters
from pyro_gmvae.fitting.starts.sklearn_fits import drawn_rows
from pyro_gmvae.fitting.train import train
from pyro_gmvae.likelihoods import TableStructure
from tests.helpers.tiny import same_weights

N, K = 80, 3
STRUCTURE = TableStructure(("real", "count", "levels:3", "real"), floors=(0.01, 0.01))


def mixed(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rows on model scale with gaps, their first responsibilities, and weights from 0 to 3."""
    g = torch.Generator().manual_seed(seed)
    kind = torch.arange(N) % K
    x = torch.stack(
        [
            torch.randn(N, generator=g) + 2 * kind,
            torch.poisson(1.0 + 3 * kind, generator=g),
            torch.where(torch.rand(N, generator=g) < 0.7, kind, (kind + 1) % 3).float(),
            torch.randn(N, generator=g) - kind,
        ],
        1,
    )
    x[torch.rand(x.shape, generator=g) < 0.15] = torch.nan
    r = torch.randn(N, K, generator=g, dtype=torch.float64).softmax(-1)
    return x, r, torch.randint(4, (N,), generator=g).double()


def rounds(rows: TableRows, r: Tensor, uniform: bool) -> tuple[ColumnMixture, Tensor]:
    """Thirty M and E steps."""
    for _ in range(30):
        mixture = mixture_of(rows, r, uniform=uniform)
        r = mixture.log_joint(rows).softmax(-1)
    return mixture, r


@pytest.mark.parametrize("uniform", [False, True])
def test_the_mixture_of_weights_is_that_of_repeated_rows(uniform: bool) -> None:
    """Weights of 0 are rows that are absent."""
    x, r, weights = mixed()
    times = weights.long()
    ours, found = rounds(TableRows.of(x, STRUCTURE, weights), r, uniform)
    repeated = TableRows.of(x.repeat_interleave(times, 0), STRUCTURE)
    theirs, wanted = rounds(repeated, r.repeat_interleave(times, 0), uniform)
    torch.testing.assert_close(found.repeat_interleave(times, 0), wanted, atol=1e-9, rtol=0)
    for name in ("log_p_y", "loc", "variance", "rate", "log_p"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), atol=1e-9, rtol=0)


def test_one_step_of_fractions_is_that_of_their_multiples() -> None:
    """Laws depend on the sizes of weights only through the few pseudo-rows."""
    x, r, weights = mixed()
    laws = [mixture_of(TableRows.of(x, STRUCTURE, s * weights), r) for s in (1e6, 2e6)]
    torch.testing.assert_close(laws[0].loc, laws[1].loc, atol=1e-5, rtol=0)
    torch.testing.assert_close(laws[0].log_p_y, laws[1].log_p_y, atol=1e-9, rtol=0)


def test_kmeans_and_drawn_rows_go_by_weights() -> None:
    """Half of the rows count for next to nothing."""
    g = torch.Generator().manual_seed(0)
    places = torch.tensor([0.0, 10.0, 100.0, 200.0]).repeat_interleave(50)
    x = (places + torch.randn(200, generator=g)).unsqueeze(1)
    weights = torch.where(places < 50, 1.0, 1e-6)
    clusters = kmeans_clusters(x, 2, seed=0, weights=weights)
    assert clusters[0] != clusters[60]  # the two groups that count
    drawn = drawn_rows(x.numpy(), 0, weights)
    assert len(drawn) == 200 and (drawn < 50).all()


def test_clusters_are_numbered_by_the_sums_of_weights() -> None:
    splits = table_splits(torch.tensor([1.0, 5.0] * 60))
    fitted = train(plan(SETTINGS, splits))
    found = fitted.responsibilities(splits.train.x).argmax(-1)
    sizes = [splits.train.weights[found == k].sum().item() for k in range(2)]
    assert sizes == sorted(sizes, reverse=True)
    number_by_size(fitted.gmvae, torch.eye(2)[[0, 0, 1]], torch.tensor([1.0, 1.0, 3.0]))
    moved = fitted.responsibilities(splits.train.x).argmax(-1)
    assert torch.equal(moved, 1 - found)


SETTINGS = Settings.of(
    None, clusters=2, hidden=(6,), latent_dim=1, epochs=2, device="cpu", method="exact"
)


def table_splits(weights: Tensor | None, x: Tensor | None = None) -> Splits:
    g = torch.Generator().manual_seed(0)
    if x is None:
        x = torch.randn(120, 2, generator=g, dtype=torch.float64)
        x[::2] += 4
    weights = None if weights is None else weights.double()
    data = Dataset("points", x, None, TableEncoding, weights=weights)
    none = data.subset(torch.arange(0))
    return Splits(data.subset(torch.arange(len(x))), none, none)


@pytest.mark.parametrize("start", ["mixture", "random"])
def test_rows_without_weight_are_absent_from_a_whole_training(start: str) -> None:
    weights = (torch.arange(120) % 3 > 0).double() * (1 + torch.arange(120) % 2)
    x = table_splits(None).train.x
    settings = SETTINGS.with_(initialization=start)
    ours = train(plan(settings, table_splits(weights)))
    kept = weights > 0
    theirs = train(plan(settings, table_splits(weights[kept], x[kept])))
    assert same_weights(ours.gmvae.state_dict(), theirs.gmvae.state_dict())
    assert ours.about.lower_bound == theirs.about.lower_bound


def test_a_training_with_weights_of_2_is_one_on_doubled_rows() -> None:
    """Both learn the mean of the doubled rows, which is 2.86 where that of the rows is 2.

    The last steps of Adam move a mean by about the learning rate times its standard deviation of
    2.5, which the tolerance allows for a few times.
    """
    g = torch.Generator().manual_seed(1)
    x = torch.randn(200, 1, generator=g, dtype=torch.float64)
    x[:80] += 5
    weights = torch.where(torch.arange(200) < 80, 2.0, 1.0)
    doubled = torch.cat([x, x[:80]])
    settings = SETTINGS.with_(clusters=1, epochs=30, batch_size=40, learning_rate=0.02)
    trainings = [table_splits(weights, x), table_splits(None, doubled), table_splits(None, x)]
    weighted, repeated, neither = (
        train(plan(settings, splits)).sample(20_000, seed=0)[0].mean().item()
        for splits in trainings
    )
    assert weighted == pytest.approx(doubled.mean().item(), abs=0.2)
    assert repeated == pytest.approx(doubled.mean().item(), abs=0.2)
    assert neither == pytest.approx(x.mean().item(), abs=0.2)


def test_a_start_from_a_model_is_that_model() -> None:
    splits = table_splits(None)
    fitted = train(plan(SETTINGS, splits))
    following = plan(SETTINGS.with_(seed=5), splits, before=fitted)
    begun = begin(following, replace(following.config, seed=5))
    assert same_weights(begun.state_dict(), fitted.gmvae.state_dict())
    assert following.encoding is fitted.encoding
    assert following.config.kl_annealing.duration == 0


def test_rows_without_any_weight_are_not_evaluated() -> None:
    splits = table_splits(None)
    fitted = train(plan(SETTINGS, splits))
    empty = replace(splits.train, weights=torch.zeros(120, dtype=torch.float64))
    with pytest.raises(InputError, match="all 120 rows of points have the weight 0"):
        fitted.evaluate(empty)
