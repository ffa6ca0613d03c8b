"""The k-means and mixtures that a training begins near."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.raw_data import kmeans_clusters, mixture_start
from pyro_gmvae.fitting.starts.sklearn_fits import FITTED_ROWS, WIDE, drawn_rows, mixture
from pyro_gmvae.models import ExactGMVAE
from tests.helpers.tiny import quick

RNG = np.random.default_rng(0)
Y = RNG.integers(2, size=400)
AXES = np.array([[1.0, 0.0], [0.95, 0.3]])  # columns that nearly tell each other


def noise(n: int = 400, width: int = 2) -> np.ndarray:
    return RNG.normal(size=(n, width))


CLUSTERS = {
    "spherical": np.where(Y[:, None] == 0, 0.2 * noise(), noise() + 4),
    "diag": noise() * np.where(Y[:, None] == 0, [0.2, 3.0], [3.0, 0.2]) + 5 * Y[:, None],
    "tied": noise() @ AXES + 3 * Y[:, None] * [1, -1],
    "full": np.where(Y[:, None] == 0, noise() @ AXES, noise() @ (AXES * [1, -1])) + 3 * Y[:, None],
}


@pytest.mark.parametrize("kind", CLUSTERS)
def test_a_mixture_has_the_covariances_that_the_points_were_drawn_by(kind: str) -> None:
    fitted = mixture(CLUSTERS[kind], 2, seed=0, n_init=3)
    assert fitted.covariance_type == kind
    assert adjusted_rand_score(Y, fitted.predict(CLUSTERS[kind])) > 0.8


def test_no_full_covariance_of_fewer_points_than_axes() -> None:
    assert mixture(noise(12, 8), 2, seed=0, n_init=1).covariance_type != "full"
    assert mixture(noise(400, WIDE + 1), 2, seed=0, n_init=1).covariance_type in (
        "diag",
        "spherical",
    )


def test_fewer_points_than_clusters_leave_clusters_empty() -> None:
    x = torch.tensor([[0.0, 0], [0, 9], [9, 0]])
    gmvae = ExactGMVAE(2, 5, 2, hidden=(8,), likelihood="gaussian")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mixture_start(StartContext(gmvae, x, quick()))
    assert found.shape == (3, 5)
    torch.testing.assert_close(found.sum(-1), torch.ones(3))
    assert len(found.argmax(-1).unique()) == 3
    clusters = kmeans_clusters(x, 5, seed=0)
    assert clusters.dtype == torch.long and len(clusters.unique()) == 3


def test_a_fit_is_to_some_of_many_rows() -> None:
    points = np.arange(3.0 * (FITTED_ROWS + 5)).reshape(-1, 3)
    drawn, again, other = (drawn_rows(points, seed) for seed in (0, 0, 1))
    assert drawn.shape == (FITTED_ROWS, 3)
    assert len(np.unique(drawn, axis=0)) == FITTED_ROWS and np.isin(drawn, points).all()
    assert (drawn == again).all() and (drawn != other).any()
    few = drawn_rows(points[:7], 0)
    assert sorted(few[:, 0].tolist()) == points[:7, 0].tolist()
