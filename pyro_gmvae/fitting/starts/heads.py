"""Set the last layers of a table's guide, where a training begins exactly at a mixture."""

from __future__ import annotations

from math import expm1, log

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pyro_gmvae.models import GMVAE
from pyro_gmvae.networks import MIN_SCALE, PlacedMixtureHead, TableStatistics

__all__ = ["begin_style", "cluster_head", "n_statistics", "set_posterior"]

FIRST_STYLE = 0.3  # factor of the first weights of the style's mean


def cluster_head(gmvae: GMVAE) -> nn.Linear:
    """Return the layer that gives the logits of the clusters.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> cluster_head(ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))).out_features
    3
    """
    head = gmvae.guide.z_head
    found: nn.Linear = head.y_head if isinstance(head, PlacedMixtureHead) else gmvae.guide.y_head
    return found


def n_statistics(gmvae: GMVAE) -> int:
    """Count the statistics of the columns among the features of q(y|x); 0 without a table.

    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> table = TableStructure(("real", "levels:2"))
    >>> gmvae = ExactGMVAE(
    ...     2, n_components=3, latent_dim=2, hidden=(5,), likelihood="table", table=table
    ... )
    >>> n_statistics(gmvae)  # x, its square and whether it is seen; each of two levels
    5
    """
    statistics = (m for m in gmvae.guide.modules() if isinstance(m, TableStatistics))
    return sum(m.size for m in statistics)


@torch.no_grad()
def set_posterior(
    gmvae: GMVAE, factors: Float[Tensor, "K F"], constant: Float[Tensor, " K"]
) -> None:
    """Let q(y|x) be the softmax of a linear function of the statistics.

    Args:
        gmvae: a pair with the networks of a table.
        factors: of the statistics.
        constant: the logits where all statistics are 0.

    >>> import torch
    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(
    ...     1, n_components=2, latent_dim=1, hidden=(4,), likelihood="table",
    ...     table=TableStructure(("real",)),
    ... )
    >>> factors = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])  # of x, x squared, and 1
    >>> set_posterior(gmvae, factors, torch.zeros(2))
    >>> gmvae.guide.log_responsibilities(torch.tensor([[-3.0], [3.0]])).argmax(-1).tolist()
    [1, 0]
    """
    y_head = cluster_head(gmvae)
    y_head.weight.zero_()
    # The softmax does not see what all clusters have in common, and rounding does.
    y_head.weight[:, : factors.shape[1]] = (factors - factors.mean(0)).to(y_head.weight)
    y_head.bias.copy_(constant.to(y_head.bias))


@torch.no_grad()
def begin_style(gmvae: GMVAE, factor: float = FIRST_STYLE) -> None:
    """Let hidden layers change the mean of the style by ``factor`` at first, its scale not.

    >>> import torch
    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(
    ...     1, n_components=2, latent_dim=1, hidden=(4,), likelihood="table",
    ...     table=TableStructure(("real",)),
    ... )
    >>> begin_style(gmvae, 0.0)
    >>> gmvae.guide.z_head.output.weight.abs().max().item()
    0.0
    """
    output, latent_dim = gmvae.guide.z_head.output, gmvae.latent_dim
    output.weight[:latent_dim] *= factor
    output.weight[latent_dim:] = 0
    output.bias.zero_()
    output.bias[latent_dim:] = log(expm1(1 - MIN_SCALE))
