"""A training begins near clusters that were found before."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from pyro_gmvae.models import METHODS
from pyro_gmvae.training import fit, initialize
from tests.training.tiny import N_CLUSTERS, blobs, quick, same_weights, tiny, weights_of

X, CLUSTERS = blobs(90)


@pytest.mark.parametrize("names", [*permutations(range(N_CLUSTERS))][::2])
@pytest.mark.parametrize("method", ["exact", "concrete", "sparse"])
def test_takes_over_the_clusters_under_any_names(method: str, names: tuple[int, ...]) -> None:
    given = torch.tensor(names)[CLUSTERS]
    gmvae = tiny(method)
    initialize(gmvae, X, given, quick(batch_size=30))
    assert (gmvae.responsibilities(X).argmax(-1) == given).float().mean() > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_leaves_no_weights_of_the_objective_behind(method: str) -> None:
    gmvae = tiny(method)
    initialize(gmvae, X, CLUSTERS, quick(batch_size=90))
    assert float(gmvae.weights.kl_weight) == float(gmvae.weights.z_kl_weight) == 1.0


def test_is_longer_than_a_few_steps_however_few_the_data() -> None:
    few, many = tiny(), tiny()
    initialize(few, X, CLUSTERS, quick(batch_size=90, epochs=1))  # 50 epochs of one step
    labelled = quick(batch_size=90, epochs=50, patience=None)
    fit(many, X, labelled, y=CLUSTERS)
    assert not same_weights(weights_of(few), weights_of(tiny()))
    # The same number of steps, but for the annealing that the second has.
    assert few.responsibilities(X).argmax(-1).eq(CLUSTERS).float().mean() >= (
        many.responsibilities(X).argmax(-1).eq(CLUSTERS).float().mean() - 0.1
    )
