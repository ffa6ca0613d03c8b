"""Rows that are known to belong together, from the start on."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae.fitting.starts.imitation import imitate
from pyro_gmvae.fitting.starts.information import best_start, information_loss
from pyro_gmvae.fitting.starts.raw_data import kmeans_clusters
from pyro_gmvae.models import GMVAE, METHODS, AdversarialPerturbation, Regularizer
from pyro_gmvae.models.must_link import must_linked
from pyro_gmvae.training import fit
from tests.helpers.known import halves, in_threes, of_some
from tests.helpers.tiny import quick

X, TOP = halves()
CONFIG = quick(epochs=25, batch_size=40)
SEED = 1  # one of those that start by the wrong halves without links


def model(method: str = "sparse", seed: int = 0) -> GMVAE:
    torch.manual_seed(seed)
    return METHODS[method](2, 2, 2, hidden=(16,), likelihood="gaussian", learn_mixture=True)


def ari_of_the_others(gmvae: GMVAE, groups: torch.Tensor) -> float:
    found = gmvae.responsibilities(X).argmax(-1)
    return float(adjusted_rand_score(TOP[groups < 0], found[groups < 0]))


@pytest.mark.parametrize("method", ["sparse", "concrete"])
def test_groups_turn_a_clustering_that_the_likelihood_prefers(method: str) -> None:
    """Twenty groups of three, of which nobody says which are of one cluster."""
    groups, begun = in_threes(TOP), model(method)
    imitate(begun, X, kmeans_clusters(X, 2, seed=0), CONFIG)
    found = []
    for given in (None, groups):
        gmvae = model(method)
        gmvae.load_state_dict(begun.state_dict())
        fit(gmvae, X, CONFIG, must_link=given)
        found.append(ari_of_the_others(gmvae, groups))
    assert found[0] < 0.1
    assert found[1] > 0.8


def test_links_hold_in_a_start_by_information() -> None:
    seen = []

    def make(seed: int) -> GMVAE:
        gmvae = model(seed=seed)
        gmvae.regularize(Regularizer(AdversarialPerturbation(0.3)))
        seen.append(gmvae)
        return gmvae

    groups, config = of_some(TOP), quick(batch_size=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyro_gmvae.fitting.starts.information.MIN_STEPS", 300)
        found = [
            ari_of_the_others(
                best_start(make, [SEED], X, config, epochs=1, must_link=given), groups
            )
            for given in (None, groups)
        ]
    assert found[0] < 0.1
    assert found[1] > 0.8
    assert all(gmvae.must_link is None for gmvae in seen)


def test_starts_are_compared_by_their_links_too() -> None:
    gmvae = model()
    gmvae.regularize(Regularizer(lambda x: x))
    without = information_loss(gmvae, X)
    with must_linked(gmvae, X, of_some(TOP)):
        assert information_loss(gmvae, X) != without
    assert information_loss(gmvae, X) == without
