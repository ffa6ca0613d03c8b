"""Clusters that are there come back from halves of the rows; clusters of noise do not."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import ClusterStability, responsibilities
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks import stability
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.tasks.stability import resampled
from pyro_gmvae.tasks.start import train_splits
from tests.helpers.tiny import blobs


def parts(x: Tensor, held_out: int = 0) -> Splits:
    data = Dataset("rows", x, None, "table")
    n, index = len(x) - held_out, torch.arange(len(x))
    return Splits(data.subset(index[:n]), data.subset(index[n:]), data.subset(index[:0]))


def trained(x: Tensor, clusters: int, **settings: object) -> tuple[Run, Splits]:
    splits = parts(x)
    told = TrainSettings(
        "rows",
        clusters=clusters,
        latent_dim=2,
        hidden=(16,),
        epochs=4,
        batch_size=60,
        learning_rate=1e-2,
        device="cpu",
        **settings,  # type: ignore[arg-type]
    )
    return Run(*train_splits(told, splits), {"settings": asdict(told)}), splits


def verdicts(found: ClusterStability) -> set[str]:
    return {cluster["verdict"] for cluster in found.to_dict()["clusters"]}


def test_clear_blobs_are_stable() -> None:
    x, _ = blobs(120)
    run, splits = trained(x, 3)
    found = resampled(run, splits, 2, device="cpu")
    assert found.ari.min() > 0.9 and verdicts(found) == {"stable"}
    reference = responsibilities(run.gmvae, x, transform=run.preprocessor).argmax(-1)
    assert found.sizes.tolist() == reference.bincount(minlength=3).tolist()


def test_parts_of_one_gaussian_are_not() -> None:
    torch.manual_seed(2)
    # In six dimensions no way to cut it is better than another.
    found = resampled(*trained(torch.randn(120, 6), 4), 3, device="cpu")
    assert found.ari.mean() < 0.6 and "stable" not in verdicts(found)


def test_trains_on_halves_each_with_a_seed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = blobs(30)
    run, splits = trained(x, 3, initialization="random")
    seen = []

    def listen(settings: TrainSettings, splits: Splits, reporters: object) -> tuple:
        seen.append((settings, splits, reporters))
        return run.gmvae, run.preprocessor

    monkeypatch.setattr(stability, "train_splits", listen)
    found = resampled(run, splits, 3, seed=5, device="cpu", reporters=lambda n: [n])  # type: ignore
    assert (found.jaccard[:, found.sizes > 0] == 1).all()  # it is always the same model
    assert len({settings.seed for settings, *_ in seen}) == 3
    assert [reporters for *_, reporters in seen] == [[0], [1], [2]]
    for settings, given, _ in seen:
        assert (
            settings.initialization == "random" and settings.seed != run.details["settings"]["seed"]
        )
        assert len(given.train) == 15 == len(given.train.x.unique(dim=0))
        assert given.validation is splits.validation
    assert not torch.equal(seen[0][1].train.x, seen[1][1].train.x)


def test_no_resample() -> None:
    x, _ = blobs(30)
    run, splits = trained(x, 3, initialization="random")
    with pytest.raises(InputError, match="at least 1"):
        resampled(run, splits, 0)
