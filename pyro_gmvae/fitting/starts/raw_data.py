"""Begin near k-means or a Gaussian mixture of the data themselves."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import pad

from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.sklearn_fits import drawn_rows, kmeans, mixture

__all__ = ["kmeans_clusters", "kmeans_start", "mixture_responsibilities", "mixture_start"]

FEW_POINTS = 5_000
MIXTURES_OF_FEW, MIXTURES = 10, 3  # fits of a mixture, of which the best is taken


def kmeans_clusters(
    x: Float[Tensor, "N *event"],
    n_clusters: int,
    *,
    seed: int,
    weights: Float[Tensor, " N"] | None = None,
) -> Int64[Tensor, " N"]:
    """Find the k-means cluster of each datum, as a start for `imitate`.

    Args:
        x: data on model scale, or points of a latent space.
        n_clusters: K; with fewer data than that, each gets a cluster of its own.
        seed: the seed of the first centres and of the choice of data to fit.
        weights: how much each datum counts; None if all count alike.

    >>> found = kmeans_clusters(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), 2, seed=0)
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    flat = x.flatten(1).cpu().numpy()
    fitted = kmeans(flat, n_clusters, seed=seed, n_init=5, weights=weights)
    return torch.from_numpy(fitted.predict(flat)).long()


def kmeans_start(context: StartContext) -> Int64[Tensor, " N"]:
    """Find the clusters of the start ``"kmeans"``.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    >>> found = kmeans_start(StartContext(gmvae, x, TrainConfig(seed=0)))
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    return kmeans_clusters(
        context.encoded(), context.n_clusters, seed=context.seed, weights=context.weights
    )


def mixture_start(context: StartContext) -> Float[Tensor, "N K"]:
    """Find the responsibilities of the start ``"mixture"``, a Gaussian mixture.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    >>> found = mixture_start(StartContext(gmvae, x, TrainConfig(seed=0))).argmax(-1)
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    return mixture_responsibilities(context.encoded().flatten(1).cpu().double().numpy(), context)


def mixture_responsibilities(points: np.ndarray, context: StartContext) -> Float[Tensor, "N K"]:
    """Find the responsibilities of a mixture of ``points`` ``(N, F)``, one for each row.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(1, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> context = StartContext(gmvae, torch.zeros(2, 1), TrainConfig(seed=0))
    >>> mixture_responsibilities(np.array([[0.0], [5.0]]), context).shape  # K is 3
    torch.Size([2, 3])
    """
    n_init = MIXTURES_OF_FEW if len(points) < FEW_POINTS else MIXTURES
    fitted = mixture(
        drawn_rows(points, context.seed, context.weights),
        context.n_clusters,
        seed=context.seed,
        n_init=n_init,
    )
    found = torch.from_numpy(fitted.predict_proba(points)).float()
    return pad(found, (0, context.n_clusters - found.shape[1]))
