"""A start by the regulariser alone."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.evaluation import clustering_scores
from pyro_gmvae.models import GMVAE, METHODS, AdversarialPerturbation, Regularizer
from pyro_gmvae.training import best_start, fit, information_loss, maximize_information
from tests.helpers.tiny import blobs, quick, same_weights, tiny, weights_of

X, CLUSTERS = blobs(120)
CONFIG = quick(batch_size=60)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs need fewer steps than images."""
    monkeypatch.setattr("pyro_gmvae.training.information.MIN_STEPS", 400)


def regularized(method: str = "exact", seed: int = 0) -> GMVAE:
    gmvae = tiny(method, seed)
    gmvae.regularize(Regularizer(AdversarialPerturbation(0.5)))
    return gmvae


@pytest.mark.parametrize("method", METHODS)
def test_finds_blobs_with_no_likelihood_at_all(method: str) -> None:
    gmvae = regularized(method)
    before = information_loss(gmvae, X)
    maximize_information(gmvae, X, CONFIG, epochs=1)
    assert information_loss(gmvae, X) < 0.3 * before
    found = gmvae.responsibilities(X).argmax(-1)
    assert clustering_scores(CLUSTERS, found).accuracy > 0.97


def test_trains_what_tells_the_cluster_and_nothing_else() -> None:
    gmvae = regularized()
    before = weights_of(gmvae)
    maximize_information(gmvae, X, CONFIG, epochs=1)
    changed = {n for n, w in weights_of(gmvae).items() if not torch.equal(w, before[n])}
    assert changed and all(n.startswith(("guide.cluster_enc", "guide.y_head")) for n in changed)


def test_is_the_same_again_and_leaves_the_generators_alone() -> None:
    states = []
    for _ in range(2):
        gmvae = regularized()
        torch.manual_seed(7)
        maximize_information(gmvae, X, CONFIG, epochs=1)
        assert torch.rand(()) == torch.rand((), generator=torch.Generator().manual_seed(7))
        states.append(weights_of(gmvae))
    assert same_weights(*states)


def test_the_clusters_outlive_the_training_that_follows() -> None:
    gmvae = regularized("concrete")
    maximize_information(gmvae, X, CONFIG, epochs=1)
    fit(gmvae, X, quick(batch_size=60, epochs=20))
    found = gmvae.responsibilities(X).argmax(-1)
    assert clustering_scores(CLUSTERS, found).accuracy > 0.97


def test_the_best_of_several_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four starts, two rounds of halving; a start's loss is told by its seed alone."""
    trained: list[int] = []
    seeds: dict[int, int] = {}

    def make(seed: int) -> GMVAE:
        gmvae = regularized(seed=seed)
        seeds[id(gmvae)] = seed
        return gmvae

    where = "pyro_gmvae.training.information"
    monkeypatch.setattr(
        f"{where}.maximize_information", lambda g, x, c, **_: trained.append(c.seed)
    )
    monkeypatch.setattr(f"{where}.information_loss", lambda g, x, **_: abs(seeds[id(g)] - 6))
    best = best_start(make, [4, 5, 6, 8], X, CONFIG, epochs=1)
    assert seeds[id(best)] == 6
    assert trained[:4] == [4, 5, 6, 8] and trained[4:] == [6, 5, 6]


def test_needs_a_regulariser() -> None:
    with pytest.raises(ValueError, match="give the model a regulariser first"):
        maximize_information(tiny(), X, CONFIG, epochs=1)
