"""A training begins near clusters that were found before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pyro_gmvae.fitting.starts.imitation import imitate
from pyro_gmvae.models import GMVAE, METHODS
from pyro_gmvae.training import TrainConfig
from tests.helpers.tiny import blobs, quick, tiny

X, CLUSTERS = blobs(90)


@pytest.mark.parametrize("names", [(0, 1, 2), (1, 2, 0)])
@pytest.mark.parametrize("method", ["exact", "concrete", "sparse"])
def test_takes_over_the_clusters_under_any_names(method: str, names: tuple[int, ...]) -> None:
    given = torch.tensor(names)[CLUSTERS]
    gmvae = tiny(method)
    imitate(gmvae, X, given, quick(batch_size=30))
    assert (gmvae.responsibilities(X).argmax(-1) == given).float().mean() > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_leaves_no_weights_of_the_objective_behind(method: str) -> None:
    gmvae = tiny(method)
    imitate(gmvae, X, CLUSTERS, quick(batch_size=90))
    assert float(gmvae.weights.kl_weight) == float(gmvae.weights.z_kl_weight) == 1.0


@pytest.mark.parametrize(
    ("batch_size", "steps", "epochs"),
    [(90, 50, 50), (30, 50, 17), (1, 50, 2), (30, 250, 84)],
    ids=["few", "some", "many", "asked"],
)
def test_lasts_long_enough_and_not_longer(
    batch_size: int, steps: int, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[TrainConfig] = []

    def listen(gmvae: GMVAE, x: Tensor, config: TrainConfig, **_: object) -> None:
        told.append(config)

    monkeypatch.setattr("pyro_gmvae.fitting.starts.imitation.fit", listen)
    config = quick(batch_size=batch_size, epochs=7, max_steps=3, seed=5)
    imitate(tiny(), X, CLUSTERS, config, steps=steps)
    assert told[0].epochs == epochs and told[0].max_steps is None
    assert told[0].annealing_ends(3) == 0
    assert (told[0].seed, told[0].learning_rate) == (5, config.learning_rate)


@pytest.mark.parametrize("method", ["exact", "sparse"])
def test_responsibilities_go_into_the_model_and_come_out(method: str) -> None:
    """Rows of the same blob have the same ones, so that x tells them in full."""
    x, blob = blobs(240)
    given = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])[blob]
    gmvae = tiny(method, seed=1)
    imitate(gmvae, x, given, quick(batch_size=6))
    found = gmvae.responsibilities(x)
    assert (found.argmax(-1) == given.argmax(-1)).all()
    assert (found - given).abs().mean() < 0.05


def test_the_marginal_method_takes_over_the_likeliest() -> None:
    """Its components have to overlap for p(y|z) to be unsure, which takes it longer."""
    x, blob = blobs(240)
    given = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])[blob]
    gmvae = tiny("marginal", seed=1)
    imitate(gmvae, x, given, quick(batch_size=3, learning_rate=2e-2))
    assert (gmvae.responsibilities(x).argmax(-1) == blob).float().mean() > 0.95
