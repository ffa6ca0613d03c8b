"""Each strategy finds clusters that are there, and the model takes them over."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.groups import StartSettings
from pyro_gmvae.fitting.starts import CLUSTERINGS, latent, registry, start_names
from pyro_gmvae.fitting.starts.context import StartContext, StartProgress
from pyro_gmvae.fitting.starts.registry import check_start, start_by_name, start_from
from pyro_gmvae.models import ExactGMVAE, GenerativeModel
from pyro_gmvae.training import Reporter
from tests.helpers.tiny import blobs, quick, same_weights, tiny, weights_of

X, TRUTH = blobs(90)
QUICK = quick(batch_size=30)


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MIN_STEPS", 60)


def ari(clusters: Tensor) -> float:
    return float(adjusted_rand_score(TRUTH.numpy(), clusters.numpy()))


def test_the_names_are_the_settings() -> None:
    assert start_names() == ("auto", "information", *CLUSTERINGS, "random")
    for name in start_names():
        assert StartSettings(initialization=name).initialization == name
    with pytest.raises(InputError, match="initialization"):
        StartSettings(initialization="astrology")


def test_a_start_of_ones_own_is_a_function_and_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLUSTERINGS, "known", lambda context: TRUTH)
    assert "known" in start_names()
    assert StartSettings(initialization="known").initialization == "known"
    gmvae = tiny("sparse", hidden=(32,))
    start_from("known", StartContext(gmvae, X, QUICK))
    assert (gmvae.responsibilities(X).argmax(-1) == TRUTH).float().mean() > 0.95


@pytest.mark.parametrize("name", CLUSTERINGS)
def test_every_name_has_its_function(name: str) -> None:
    assert callable(start_by_name(name))


@pytest.mark.parametrize("name", [n for n in CLUSTERINGS if n != "latent-umap"])
def test_finds_well_separated_blobs(name: str) -> None:
    gmvae = tiny("sparse", hidden=(32,))
    start_from(name, StartContext(gmvae, X, QUICK))
    assert ari(gmvae.responsibilities(X).argmax(-1)) > 0.95


def test_finds_them_on_a_map_of_the_latents() -> None:
    pytest.importorskip("umap")
    found = start_by_name("latent-umap")(StartContext(tiny(hidden=(32,)), X, QUICK))
    torch.testing.assert_close(found.sum(-1), torch.ones(90))
    assert ari(found.argmax(-1)) > 0.95


def test_without_umap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "pyro-gmvae\[umap\]"'):
        check_start("latent-umap", regularized=False)
    with pytest.raises(InputError, match="UMAP is not installed"):
        start_by_name("latent-umap")(StartContext(tiny(), X, QUICK))


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
    first = latent.latents(StartContext(gmvae, raw, QUICK, scale, reporters=[told]))
    assert first.shape == (90, 2) and first.isfinite().all()
    assert same_weights(before, weights_of(gmvae)) and torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(
        first, latent.latents(StartContext(gmvae, X, QUICK)), atol=1e-3, rtol=1e-3
    )
    assert len(told.shares) == 60 and told.shares[-1] == 1
    assert told.closed == 0  # they go on to the training


def test_a_class_of_ones_own_has_no_vae_like_it() -> None:
    class OwnModel(GenerativeModel):
        pass

    class Own(ExactGMVAE):
        model_class = OwnModel

    with pytest.raises(InputError, match="give imitate clusters that you found"):
        latent.latents(StartContext(Own(4, 3, 2, hidden=(8,), likelihood="gaussian"), X, QUICK))


def test_information_needs_a_regulariser() -> None:
    check_start("information", regularized=True)
    check_start("kmeans", regularized=False)
    with pytest.raises(InputError, match="a start by information needs a regulariser: name its"):
        check_start("information", regularized=False)


def test_rows_are_encoded_part_by_part_without_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyro_gmvae.fitting.starts.context.ROWS_AT_A_TIME", 40)
    sizes: list[int] = []

    def double(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return 2 * x

    leaf = X.clone().requires_grad_()
    context = StartContext(tiny(), leaf, QUICK, double)
    assert torch.equal(context.encoded(), 2 * X) and not context.encoded().requires_grad
    assert sizes == [40, 40, 10] * 2
    context = StartContext(tiny(), X, QUICK, transform=torch.neg, encode_mean=double)
    assert torch.equal(context.encoded(lambda x: x.sum(-1)), (2 * X).sum(-1))
    assert torch.equal(StartContext(tiny(), X, QUICK).encoded(), X)


def test_progress_is_told_as_a_share_of_all_parts() -> None:
    told = Told()
    for done in range(2):
        progress = StartProgress([told], done=done, parts=2)
        progress.start(4, [])
        for step in range(1, 5):
            progress.step(step)
        progress.close()
    assert told.shares == [i / 8 for i in range(1, 9)]
    assert told.closed == 0  # they go on to the training
    broken = StartProgress([told], done=0, parts=2)
    broken.start(4, [])
    broken.step(3)
    broken.close()
    assert told.closed == 1
