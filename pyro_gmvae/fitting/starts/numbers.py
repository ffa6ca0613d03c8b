"""Begin near the best of several starts, or near clusters of the graph of neighbours."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.data.table_encoding import MOST_CORRELATED
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.gaussians import GaussianRows
from pyro_gmvae.fitting.starts.neighbours import spectral_clusters
from pyro_gmvae.fitting.starts.portfolio import best_of_portfolio
from pyro_gmvae.fitting.starts.raw_data import kmeans_start

__all__ = ["portfolio_start", "spectral_start"]


def portfolio_start(context: StartContext) -> Tensor:
    """Find the clusters or responsibilities of the start ``"portfolio"``.

    Up to 32 numbers are compared by `best_of_portfolio`. Covariances of more numbers are mostly
    noise. There the graph of neighbours is cut, and where it cannot be, k-means is taken.

    Raises:
        InputError: for rows with gaps.

    >>> import torch
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.linspace(0, 1, 40).unsqueeze(-1) + 9 * (torch.arange(40) // 20).unsqueeze(-1)
    >>> found = portfolio_start(StartContext(gmvae, x, TrainConfig(seed=0))).argmax(-1)
    >>> [part.unique().numel() for part in (found, found[:20], found[20:])]
    [2, 1, 1]
    """
    x = context.encoded().flatten(1).double()
    if x.isnan().any():
        raise InputError(
            "the start portfolio is for numbers without gaps: begin by mixture or kmeans"
        )
    if x.shape[1] > MOST_CORRELATED:
        cut = spectral_clusters(x, context.n_clusters, seed=context.seed)
        return kmeans_start(context) if cut is None else cut
    rows = GaussianRows.of(x, context.weights)
    found = best_of_portfolio(rows, context.n_clusters, seed=context.seed)
    if found.clusters is not None:
        return one_hot(found.clusters, context.n_clusters).double()
    return found.mixture.log_joint(rows).softmax(-1)


def spectral_start(context: StartContext) -> Tensor:
    """Find the clusters of the start ``"spectral"`` (see `spectral_clusters`).

    Raises:
        InputError: for data whose graph cannot be cut, such as few rows or many equal ones.

    >>> import torch
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.linspace(0, 1, 40).unsqueeze(-1) + 9 * (torch.arange(40) // 20).unsqueeze(-1)
    >>> found = spectral_start(StartContext(gmvae, x, TrainConfig(seed=0)))
    >>> [part.unique().numel() for part in (found, found[:20], found[20:])]
    [2, 1, 1]
    """
    x = context.encoded().flatten(1).double().nan_to_num(nan=0.0)
    found = spectral_clusters(x, context.n_clusters, seed=context.seed)
    if found is None:
        raise InputError(
            "the graph of neighbours of these rows cannot be cut into clusters, for they are few "
            "or many of them are equal: begin by mixture or kmeans"
        )
    return found
