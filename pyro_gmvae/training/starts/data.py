"""k-means of the data themselves."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pyro_gmvae.training.starts.classical import drawn_rows, kmeans
from pyro_gmvae.training.starts.rows import Rows

__all__ = ["kmeans_clusters", "of_data"]


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
