"""Each trouble is said once, in words that name what to change."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from pyro_gmvae.training import ClusterWarning, ClusterWatch, Record, fit
from pyro_gmvae.training.diagnosis import merged_clusters, symmetric_kl
from tests.helpers.tiny import blobs, quick, tiny


def record(
    epoch: float = 1, used: float = 3, kl_y: float = 1.0, weight: float = 1.0, step: float = 500
) -> Record:
    shown = {"clusters_in_use": used, "kl_y": kl_y, "kl_weight": weight}
    return {"epoch": epoch, "step": step, **shown}


def apart() -> ClusterWatch:
    gmvae = tiny()
    with torch.no_grad():
        gmvae.model.component_loc.copy_(5 * torch.tensor([[0.0, 1], [1, 0], [-1, -1]]))
    told: list[str] = []
    watch = ClusterWatch(gmvae, told.append)
    watch.told = told  # type: ignore[attr-defined]
    watch.start(10, [])
    return watch


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record()], []),
        ([record(used=1), record(used=1)], ["epoch 1: all data are in one cluster"]),
        ([record(used=2), record(used=1)], ["epoch 1: all data are in one cluster"]),
        ([record(kl_y=0.01, weight=0.5)], []),
        ([record(kl_y=0.01, step=5)], []),
        ([record(kl_y=0.01)], ["KL(y) has vanished (0.010 nats of at most 1.1)"]),
        ([record(used=2)], []),
    ],
)
def test_says_what_is_wrong(records: list[Record], words: list[str]) -> None:
    watch = apart()
    for each in records:
        watch.epoch(each)
    told: list[str] = watch.told  # type: ignore[attr-defined]
    assert len(told) == len(words)
    assert all(w in t for w, t in zip(words, told, strict=True))


def test_says_that_clusters_have_died_since_they_were_there() -> None:
    watch = apart()
    watch.gmvae.n_components = 10
    watch.start(10, [record(used=8)])  # a resumed training
    watch.epoch(record(epoch=5, used=4))
    watch.epoch(record(epoch=6, used=3))
    told: list[str] = watch.told  # type: ignore[attr-defined]
    assert told == [
        "epoch 5: clusters have died, 4 of 8 are left: regularise for balance, or ask for fewer "
        "clusters if the data have so few"
    ]


def test_merged_clusters_are_found() -> None:
    watch = apart()
    assert merged_clusters(watch.gmvae) == []
    with torch.no_grad():
        watch.gmvae.model.component_loc[2] = watch.gmvae.model.component_loc[0] + 0.1
    assert merged_clusters(watch.gmvae) == [(0, 2)]
    watch.epoch(record(step=99))
    watch.epoch(record())
    told: list[str] = watch.told  # type: ignore[attr-defined]
    assert len(told) == 1
    assert "clusters 0 and 2 are one and the same" in told[0]


def test_symmetric_kl_is_the_mean_of_both() -> None:
    torch.manual_seed(0)
    loc, scale = torch.randn(4, 3).double(), torch.rand(4, 3).double() + 0.5
    normals = [Independent(Normal(m, s), 1) for m, s in zip(loc, scale, strict=True)]
    expected = [[(kl_divergence(a, b) + kl_divergence(b, a)) / 2 for b in normals] for a in normals]
    torch.testing.assert_close(symmetric_kl(loc, scale), torch.tensor(expected).double())


def test_warns_during_a_training() -> None:
    gmvae = tiny("concrete")
    with torch.no_grad():
        gmvae.guide.y_head.weight.zero_()
        gmvae.guide.y_head.bias.copy_(torch.tensor([9.0, 0, 0]))
    x, _ = blobs()
    with pytest.warns(ClusterWarning, match="all data are in one cluster"):
        fit(gmvae, x, quick(epochs=1), reporters=[ClusterWatch(gmvae)])
