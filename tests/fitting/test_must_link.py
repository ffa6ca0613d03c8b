"""Rows that are known to belong together: an argument of `fit` and of a start."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae.errors import InputError
from pyro_gmvae.models import GMVAE, METHODS, MUST_LINK, AdversarialPerturbation, Regularizer
from pyro_gmvae.training import (
    best_start,
    fit,
    information_loss,
    initialize,
    kmeans_clusters,
)
from pyro_gmvae.training.links import linked
from tests.helpers.known import halves, in_threes, of_some
from tests.helpers.tiny import quick, same_weights, weights_of

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
    initialize(begun, X, kmeans_clusters(X, 2, seed=0), CONFIG)
    found = []
    for given in (None, groups):
        gmvae = model(method)
        gmvae.load_state_dict(begun.state_dict())
        fit(gmvae, X, CONFIG, groups=given)
        found.append(ari_of_the_others(gmvae, groups))
    assert found[0] < 0.1
    assert found[1] > 0.8


@pytest.mark.parametrize("method", METHODS)
def test_is_reported_apart_and_leaves_no_data_behind(method: str) -> None:
    gmvae = model(method)
    record = fit(gmvae, X, quick(epochs=1), groups=of_some(TOP)).history[0]
    assert record["elbo"] == pytest.approx(
        record["log_likelihood"] - record["kl_z"] - record["kl_y"]
    )
    assert MUST_LINK in record
    assert gmvae.must_link is None
    assert MUST_LINK not in fit(gmvae, X, quick(epochs=1)).history[0]


def test_links_hold_in_a_start_by_information() -> None:
    seen = []

    def make(seed: int) -> GMVAE:
        gmvae = model(seed=seed)
        gmvae.regularize(Regularizer(AdversarialPerturbation(0.3)))
        seen.append(gmvae)
        return gmvae

    groups, config = of_some(TOP), quick(batch_size=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyro_gmvae.training.information.MIN_STEPS", 300)
        found = [
            ari_of_the_others(best_start(make, [SEED], X, config, epochs=1, groups=given), groups)
            for given in (None, groups)
        ]
    assert found[0] < 0.1
    assert found[1] > 0.8
    assert all(gmvae.must_link is None for gmvae in seen)


def test_starts_are_compared_by_their_links_too() -> None:
    gmvae = model()
    gmvae.regularize(Regularizer(lambda x: x))
    without = information_loss(gmvae, X)
    with linked(gmvae, X, of_some(TOP)):
        assert information_loss(gmvae, X) != without
    assert information_loss(gmvae, X) == without


def test_an_interrupted_training_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    groups, whole, parted = of_some(TOP), model(), model()
    fit(whole, X, quick(epochs=2), groups=groups)
    path = tmp_path / "state"
    fit(parted, X, quick(epochs=1), groups=groups, checkpoint=path)
    again = model(seed=5)
    fit(again, X, quick(epochs=2), groups=groups, checkpoint=path, resume=True)
    assert same_weights(weights_of(whole), weights_of(again))
    assert b"must_link.x" not in path.read_bytes()


def test_groups_that_tell_nothing() -> None:
    gmvae = model()
    before = weights_of(gmvae)
    with pytest.raises(InputError, match="no group has two rows to train with"):
        fit(gmvae, X, quick(), groups=torch.arange(len(X)))
    assert gmvae.must_link is None
    assert same_weights(before, weights_of(gmvae))
