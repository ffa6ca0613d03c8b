"""Draw from q(z|x) by numbers that depend on the seed and the datum alone, and weigh the draws."""

from __future__ import annotations

import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.models import GMVAE

__all__ = ["draw_z", "weighed"]


def draw_z(q_z: dist.TorchDistribution, uniform: Float[Tensor, "S B _"]) -> Float[Tensor, "S B Z"]:
    """Draw from q(z|x) by inverting its distribution functions.

    Args:
        q_z: a diagonal normal or a mixture of diagonal normals, batch shape ``(B,)``.
        uniform: 1 + Z numbers for each draw; the first chooses the component.

    Raises:
        TypeError: for a q(z|x) of another family.

    >>> q_z = dist.Normal(torch.tensor([[10.0, 20.0]]), torch.ones(1, 2)).to_event(1)
    >>> draw_z(q_z, torch.full((1, 1, 3), 0.5))  # 0.5 is the median
    tensor([[[10., 20.]]])
    """
    mixture = isinstance(q_z, dist.MixtureSameFamily)
    normal = q_z.component_distribution if mixture else q_z
    if not (isinstance(normal, dist.Independent) and isinstance(normal.base_dist, dist.Normal)):
        raise TypeError(f"q(z|x) must be a diagonal normal or a mixture of them, got {q_z}")
    loc, scale = normal.base_dist.loc, normal.base_dist.scale
    if mixture:
        # Division by the last entry makes the distribution function end at exactly 1. Otherwise a
        # cluster of probability zero could be drawn, with a weight of any size.
        cdf = q_z.mixture_distribution.probs.cumsum(-1)
        component = (cdf / cdf[..., -1:] <= uniform[..., :1]).sum(-1)
        data = torch.arange(len(loc), device=loc.device)
        loc, scale = loc[data, component], scale[data, component]
    return loc + scale * torch.special.ndtri(uniform[..., 1:])


def weighed(
    gmvae: GMVAE,
    q_z: dist.TorchDistribution,
    x: Tensor,
    uniform: Float[Tensor, "S B _"],
    *covariates: Tensor,
) -> tuple[dist.TorchDistribution, Float[Tensor, "S B"]]:
    """Draw z from q(z|x), and return p(x|z) with log p(x|z) + log p(z) - log q(z|x) of each draw.

    Args:
        gmvae: the model.
        q_z: q(z|x) of the data.
        x: B data on model scale.
        uniform: as in `draw_z`.
        covariates: further arguments of model and guide.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> x = torch.ones(8, 4)
    >>> p_x, log_weights = weighed(gmvae, gmvae.posterior(x), x, torch.rand(6, 8, 3))
    >>> p_x.batch_shape, log_weights.shape  # six draws for each of eight data
    (torch.Size([6, 8]), torch.Size([6, 8]))
    """
    z, model = draw_z(q_z, uniform), gmvae.model
    p_x = model.p_x(z, *model.covariates_of_x(covariates))
    return p_x, p_x.log_prob(x) + model.log_p_z(z, *covariates) - q_z.log_prob(z)
