"""Fit k-means and a Gaussian mixture to points, by scikit-learn.

The mixture's covariances are of the kind that the Bayesian information criterion prefers, as in
mclust (Fraley and Raftery 2002, doi 10.1198/016214502760047131). With few rows in many columns
full covariances fit the noise, while spherical ones cut long clusters into pieces.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data.table_encoding import WIDE
from pyro_gmvae.data.weights import systematic_counts

__all__ = ["FITTED_ROWS", "drawn_rows", "kmeans", "mixture"]

FITTED_ROWS = 10_000  # points that a start is fitted to; it then places the others


def drawn_rows(
    points: np.ndarray, seed: int, weights: Float[Tensor, " N"] | None = None
) -> np.ndarray:
    """Draw 10,000 of ``points`` ``(N, F)``, or all of them in another order.

    With weights, each point is drawn in proportion to its own, some several times.

    >>> sorted(drawn_rows(np.array([[1.0], [2.0], [3.0]]), seed=0).flatten().tolist())
    [1.0, 2.0, 3.0]
    """
    return points[_drawn(len(points), seed, weights).numpy()]


def _drawn(n: int, seed: int, weights: Tensor | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n, generator=generator)[:FITTED_ROWS]
    if weights is None:
        return order
    offset = torch.rand((), generator=generator, dtype=torch.float64)
    counts = systematic_counts(weights.cpu(), len(order), offset)
    drawn = torch.arange(n).repeat_interleave(counts)
    return drawn[torch.randperm(len(drawn), generator=generator)]


def kmeans(
    points: np.ndarray,
    n_clusters: int,
    *,
    seed: int,
    n_init: int,
    weights: Float[Tensor, " N"] | None = None,
) -> Any:
    """Fit k-means to 10,000 of ``points`` ``(N, F)``, with fewer clusters if N is below them.

    >>> fitted = kmeans(np.array([[0.0], [1.0], [8.0], [9.0]]), 2, seed=0, n_init=1)
    >>> sorted(fitted.cluster_centers_.flatten().round(6).tolist())
    [0.5, 8.5]
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    n_clusters = min(n_clusters, len(points))
    drawn = _drawn(len(points), seed)
    fit = KMeans(n_clusters, n_init=n_init, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # Points may be equal, so that there are fewer than K different ones.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit.fit(
            points[drawn.numpy()],
            sample_weight=None if weights is None else weights.cpu()[drawn].numpy(),
        )


def mixture(points: np.ndarray, n_clusters: int, *, seed: int, n_init: int) -> Any:
    """Fit a Gaussian mixture to ``points`` ``(N, F)``, with fewer clusters likewise.

    >>> fitted = mixture(np.array([[0.0], [1.0], [8.0], [9.0]]), 2, seed=0, n_init=1)
    >>> sorted(fitted.means_.flatten().round(3).tolist())
    [0.5, 8.5]
    """
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    n, width = points.shape
    n_clusters = min(n_clusters, n)
    kinds = ["diag", "spherical"]
    if width <= WIDE:
        kinds.append("tied")
        if n > n_clusters * width:  # with fewer rows, a cluster has less than one for each axis
            kinds.append("full")
    # The points are NumPy's; with array dispatch scikit-learn has no k-means to start a mixture.
    with config_context(array_api_dispatch=False), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not have converged
        fits = [
            GaussianMixture(
                n_clusters,
                covariance_type=kind,
                n_init=n_init,
                random_state=seed % 2**32,
                reg_covar=1e-3,
            ).fit(points)
            for kind in kinds
        ]
    return min(fits, key=lambda fitted: fitted.bic(points))
