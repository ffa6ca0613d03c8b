"""Clusters that are there come back from halves of the rows; clusters of noise do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import Dataset, Splits, TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import ClusterStability
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.train import train
from pyro_gmvae.tasks import stability
from pyro_gmvae.tasks.stability import resampled
from pyro_gmvae.training import Reporter
from tests.helpers.tiny import blobs


def parts(x: Tensor, held_out: int = 0) -> Splits:
    data = Dataset("rows", x, None, TableEncoding)
    n, index = len(x) - held_out, torch.arange(len(x))
    return Splits(data.subset(index[:n]), data.subset(index[n:]), data.subset(index[:0]))


def trained(x: Tensor, clusters: int, **settings: object) -> tuple[FittedModel, Splits]:
    splits = parts(x)
    said = Settings.of(
        "rows",
        clusters=clusters,
        latent_dim=2,
        hidden=(16,),
        epochs=4,
        batch_size=60,
        learning_rate=1e-2,
        device="cpu",
        **settings,
    )
    return train(plan(said, splits)), splits


def verdicts(found: ClusterStability) -> set[str]:
    return {cluster["verdict"] for cluster in found.to_dict()["clusters"]}


def test_clear_blobs_are_stable() -> None:
    x, _ = blobs(120)
    fitted, splits = trained(x, 3)
    found = resampled(fitted, splits, 2, device="cpu")
    assert found.ari.min() > 0.9 and verdicts(found) == {"stable"}
    reference = fitted.responsibilities(x).argmax(-1)
    assert found.sizes.tolist() == reference.bincount(minlength=3).tolist()


def test_parts_of_one_gaussian_are_not() -> None:
    torch.manual_seed(2)
    # In six dimensions no way to cut it is better than another.
    fitted, splits = trained(torch.randn(120, 6), 4, initialization="kmeans")
    found = resampled(fitted, splits, 3, device="cpu")
    assert found.ari.mean() < 0.6 and "stable" not in verdicts(found)


def test_trains_on_halves_each_with_a_seed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = blobs(30)
    fitted, splits = trained(x, 3, initialization="random")
    seen: list[tuple[Plan, Sequence[Reporter]]] = []

    def listen(made: Plan, reporters: Sequence[Reporter]) -> FittedModel:
        seen.append((made, reporters))
        return fitted

    monkeypatch.setattr(stability, "train", listen)
    told = [[Reporter()] for _ in range(3)]
    found = resampled(fitted, splits, 3, seed=5, device="cpu", reporters=lambda n: told[n])
    assert (found.jaccard[:, found.sizes > 0] == 1).all()  # it is always the same model
    assert [reporters for _, reporters in seen] == told
    assert len({made.config.seed for made, _ in seen} | {0}) == 4  # the run's own is 0
    for made, _ in seen:
        assert made.start.name == "random" and made.seeds == (made.config.seed,)
        assert len(made.splits.train) == 15 == len(made.splits.train.x.unique(dim=0))
        assert made.splits.validation is splits.validation
    assert not torch.equal(seen[0][0].splits.train.x, seen[1][0].splits.train.x)


def test_no_resample() -> None:
    x, _ = blobs(30)
    fitted, splits = trained(x, 3, initialization="random")
    with pytest.raises(InputError, match="at least 1"):
        resampled(fitted, splits, 0)
