"""k-means, or a Gaussian mixture, of the data themselves."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import pad

from pyro_gmvae.training.starts.classical import drawn_rows, kmeans, mixture
from pyro_gmvae.training.starts.rows import Rows

__all__ = ["kmeans_clusters", "mixed", "mixture_of_data", "of_data"]

FEW_POINTS = 5_000
MIXTURES_OF_FEW, MIXTURES = 10, 3  # the best of which is taken


def kmeans_clusters(
    x: Float[Tensor, "N *event"], n_clusters: int, *, seed: int
) -> Int64[Tensor, " N"]:
    """The k-means cluster of each datum, as a start for `pyro_gmvae.training.initialize`.

    Args:
        x: data on model scale, or points of a latent space.
        n_clusters: K; with fewer data than that, each gets a cluster of its own.
        seed: of the centres to begin with and of the data that are looked at.
    """
    flat = x.flatten(1).cpu().numpy()
    fitted = kmeans(drawn_rows(flat, seed), n_clusters, seed=seed, n_init=5)
    return torch.from_numpy(fitted.predict(flat)).long()


def of_data(rows: Rows) -> Int64[Tensor, " N"]:
    """The strategy ``"kmeans"``."""
    return kmeans_clusters(rows.seen(), rows.n_clusters, seed=rows.seed)


def mixture_of_data(rows: Rows) -> Float[Tensor, "N K"]:
    """The strategy ``"mixture"``: the responsibilities of a Gaussian mixture."""
    return mixed(rows.seen().flatten(1).cpu().double().numpy(), rows)


def mixed(points: np.ndarray, rows: Rows) -> Float[Tensor, "N K"]:
    """Those of a mixture of ``points`` ``(N, F)`` that stand for the rows."""
    n_init = MIXTURES_OF_FEW if len(points) < FEW_POINTS else MIXTURES
    fitted = mixture(drawn_rows(points, rows.seed), rows.n_clusters, seed=rows.seed, n_init=n_init)
    found = torch.from_numpy(fitted.predict_proba(points)).float()
    return pad(found, (0, rows.n_clusters - found.shape[1]))
