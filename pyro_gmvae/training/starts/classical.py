"""Clusterings of points that are not deep: k-means and a Gaussian mixture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ["LOOKED_AT", "drawn_rows", "kmeans", "mixture"]

LOOKED_AT = 10_000  # points that a start is fitted to; it then places the others
WIDE = 100  # columns; full covariances of more do not fit the data


def drawn_rows(points: np.ndarray, seed: int) -> np.ndarray:
    """10,000 of ``points`` ``(N, F)``, or all of them in another order."""
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))
    return points[order[:LOOKED_AT].numpy()]


def kmeans(points: np.ndarray, n_clusters: int, *, seed: int, n_init: int) -> Any:
    """scikit-learn's k-means of ``points`` ``(N, F)``, with fewer clusters if N is below them."""
    from sklearn.cluster import KMeans

    n_clusters = min(n_clusters, len(points))
    return KMeans(n_clusters, n_init=n_init, random_state=seed % 2**32).fit(points)


def mixture(points: np.ndarray, n_clusters: int, *, seed: int, n_init: int) -> Any:
    """scikit-learn's Gaussian mixture of ``points`` ``(N, F)``, N at least ``n_clusters``."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(
        n_clusters,
        covariance_type="diag" if points.shape[1] > WIDE else "full",
        n_init=n_init,
        random_state=seed % 2**32,
        reg_covar=1e-3,
    ).fit(points)
