"""Traits count that the segments were estimated."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from pyro_gmvae import GMVAE
from pyro_gmvae.data import Schema, from_array
from pyro_gmvae.segments.explanation.first_step import Refitted, SharedMemberships, refitted
from pyro_gmvae.segments.explanation.imputation import Memberships
from pyro_gmvae.segments.explanation.traits import traits_of
from pyro_gmvae.segments.refitting.refit import FirstStep


def test_sums_by_shares_are_those_of_drawn_rows() -> None:
    rng = np.random.default_rng(0)
    members, features = rng.integers(0, 3, (2, 50)), rng.normal(size=(50, 4))
    shared = SharedMemberships(np.eye(3)[members])
    np.testing.assert_allclose(shared.sums(features), Memberships(members, 3).sums(features))


def test_the_variance_is_the_mean_square_of_what_resamples_change() -> None:
    """Two fits whose first cluster has other rows, against means by hand."""
    x = np.arange(40.0)[:, None]
    fits = np.stack([np.eye(2)[(x[:, 0] >= at).astype(int)] for at in (20, 18, 24)])
    own = Memberships(np.stack([(x[:, 0] >= 20).astype(int)] * 2), 2)
    again = Refitted(fits[0], np.arange(40), SharedMemberships(fits), FirstStep(2, 0.0, 0.1))
    schema, pairs, weights = Schema.of_numbers(1, ["age"]), [(0, None)], np.ones(40)
    plain = traits_of(schema, x, own, pairs, weights).by_pair[0, None][0]
    counted = traits_of(schema, x, own, pairs, weights, again).by_pair[0, None][0]
    effects = [(x[:at].mean() - x[at:].mean()) / x.std() for at in (20, 18, 24)]
    moved = np.mean([(e - effects[0]) ** 2 for e in effects[1:]])
    np.testing.assert_allclose(counted.effect.error**2, plain.effect.error**2 + moved)
    assert counted.effect.estimate == plain.effect.estimate


def test_segments_that_overlap_are_fitted_again() -> None:
    rng = np.random.default_rng(0)
    for apart, again in ((2.5, True), (12.0, False)):
        x = rng.normal(apart * np.repeat([0, 1], 150)[:, None] * [1.0, 0.0], 1.0, (300, 2))
        fitted = GMVAE(2, max_iter=1, random_state=0, init_params="mixture").fit(x).fitted_
        data = fitted.conform(from_array(x))
        q = fitted.responsibilities(data.x).double().numpy()
        found = refitted(fitted, data, q)
        assert (found is not None) == again
        if found is not None:
            assert found.fits.shares.shape[1:] == (300, 2)
            assert found.summary.same


def test_sparse_features_are_summed_as_dense_ones() -> None:
    rng = np.random.default_rng(0)
    q = rng.dirichlet(np.ones(3), size=(2, 8))
    features = rng.random((8, 4)) * (rng.random((8, 4)) < 0.3)
    dense = SharedMemberships(q).sums(features)
    np.testing.assert_allclose(SharedMemberships(q).sums(csr_matrix(features)), dense)
    np.testing.assert_allclose(dense[1, 2], q[1, :, 2] @ features)
