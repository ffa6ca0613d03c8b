"""Each strategy finds clusters that are there, and the model takes them over."""

from __future__ import annotations

import sys
from typing import get_args

import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.models import ExactGMVAE, GenerativeModel, Regularizer
from pyro_gmvae.tasks.settings import Initialization
from pyro_gmvae.training import CLUSTERINGS, STARTS, Reporter, Rows, begin_near, start_by
from pyro_gmvae.training.starts import latent
from tests.helpers.tiny import blobs, quick, same_weights, tiny, weights_of

X, TRUTH = blobs(90)
QUICK = quick(batch_size=30)


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MIN_STEPS", 60)


def ari(clusters: Tensor) -> float:
    return float(adjusted_rand_score(TRUTH.numpy(), clusters.numpy()))


def test_the_names_are_the_settings() -> None:
    assert get_args(Initialization) == STARTS


@pytest.mark.parametrize("name", [n for n in CLUSTERINGS if n != "latent-umap"])
def test_finds_well_separated_blobs(name: str) -> None:
    gmvae = tiny("sparse", hidden=(32,))
    begin_near(name, Rows(gmvae, X, QUICK))
    assert ari(gmvae.responsibilities(X).argmax(-1)) > 0.95


def test_finds_them_on_a_map_of_the_latents() -> None:
    pytest.importorskip("umap")
    found = CLUSTERINGS["latent-umap"](Rows(tiny(hidden=(32,)), X, QUICK))
    torch.testing.assert_close(found.sum(-1), torch.ones(90))
    assert ari(found.argmax(-1)) > 0.95


def test_without_umap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(InputError, match=r'pip install "pyro-gmvae\[umap\]"'):
        start_by("latent-umap", None, "gaussian", (2,))
    with pytest.raises(InputError, match="UMAP is not installed"):
        CLUSTERINGS["latent-umap"](Rows(tiny(), X, QUICK))


class Told(Reporter):
    def __init__(self) -> None:
        self.shares: list[float] = []
        self.closed = 0

    def beginning(self, share: float) -> None:
        self.shares.append(share)

    def close(self) -> None:
        self.closed += 1


def test_the_latents_are_those_of_a_vae_of_its_own() -> None:
    """On model scale, the same for the same seed; the model and the other draws are left alone."""
    gmvae, told = tiny(), Told()
    before, state = weights_of(gmvae), torch.get_rng_state()
    raw, scale = 100 * X, torch.tensor(0.01).mul
    first = latent.latents(Rows(gmvae, raw, QUICK, scale, reporters=[told]))
    assert first.shape == (90, 2) and first.isfinite().all()
    assert same_weights(before, weights_of(gmvae)) and torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(first, latent.latents(Rows(gmvae, X, QUICK)), atol=1e-3, rtol=1e-3)
    assert len(told.shares) == 60 and told.shares[-1] == 1
    assert told.closed == 0  # they go on to the training


def test_a_class_of_ones_own_has_no_vae_like_it() -> None:
    class OwnModel(GenerativeModel):
        pass

    class Own(ExactGMVAE):
        model_class = OwnModel

    with pytest.raises(InputError, match="give initialize clusters that you found"):
        latent.latents(Rows(Own(4, 3, 2, hidden=(8,), likelihood="gaussian"), X, QUICK))


@pytest.mark.parametrize(
    ("likelihood", "event_shape", "begun"),
    [
        ("gaussian", (8,), "mixture"),
        ("gaussian_predicted", (100,), "mixture"),
        ("gaussian", (101,), "kmeans"),
        ("bernoulli", (8,), "kmeans"),
        ("gaussian", (1, 28, 28), "kmeans"),
    ],
)
def test_auto_is_by_the_data(likelihood: str, event_shape: tuple[int, ...], begun: str) -> None:
    assert start_by("auto", None, likelihood, event_shape) == begun
    moves = Regularizer(lambda x: x)
    assert start_by("auto", moves, likelihood, event_shape) == "information"
