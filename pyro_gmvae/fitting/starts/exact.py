"""Let a GMVAE of a table begin exactly at a mixture of per-column laws."""

from __future__ import annotations

from math import expm1, log

import torch
from torch import nn

from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture
from pyro_gmvae.likelihoods import Table
from pyro_gmvae.models import GMVAE
from pyro_gmvae.networks import (
    MIN_SCALE,
    GatedDecoder,
    PlacedMixtureHead,
    TableFeatures,
)

__all__ = ["begin_at_mixture"]

FIRST_STYLE = 0.3  # factor of the first weights of the style's mean


@torch.no_grad()
def begin_at_mixture(
    gmvae: GMVAE, mixture: ColumnMixture, features: TableFeatures, *, teach: bool = True
) -> None:
    """Set the weights of a pair so that p(x) is the mixture's, and q(y|x) its exact posterior.

    The decoder gives each cluster its laws, which no style changes at first. q(z|x,y) is close to
    p(z|y), but depends on x, so that training can find what varies within a cluster.

    Args:
        gmvae: a pair with the networks of a table.
        mixture: the laws of its K clusters.
        features: the standardisation of the counts.
        teach: whether q(y|x) is set; otherwise it stays as it is.
    """
    model, guide = gmvae.model, gmvae.guide
    decoder, likelihood = model.decoder, model.likelihood
    assert isinstance(decoder, GatedDecoder) and isinstance(likelihood, Table)
    like = model.component_loc
    dispersion = mixture.dispersion.expand_as(mixture.rate)
    centre = likelihood.output_of(
        mixture.loc, mixture.variance.sqrt(), mixture.rate, dispersion, mixture.log_p
    )
    decoder.begin_at(centre.to(like))
    model.mixture_logits.copy_(mixture.log_p_y.to(like))
    for part in gmvae.modules():
        if isinstance(part, TableFeatures):
            part.count_shift.copy_(features.count_shift)
            part.count_scale.copy_(features.count_scale)
    head = guide.z_head
    _begin_style(head.output, gmvae.latent_dim)
    if teach:
        y_head = head.y_head if isinstance(head, PlacedMixtureHead) else guide.y_head
        _teach(y_head, mixture)


def _begin_style(output: nn.Linear, latent_dim: int) -> None:
    """Let the style's mean depend on x a little, and its standard deviation be that of p(z|y)."""
    output.weight[:latent_dim] *= FIRST_STYLE
    output.weight[latent_dim:] = 0
    output.bias.zero_()
    output.bias[latent_dim:] = log(expm1(1 - MIN_SCALE))


def _teach(y_head: nn.Linear, mixture: ColumnMixture) -> None:
    factors = mixture.natural()
    # The softmax does not see what all clusters have in common, and rounding does.
    factors = factors - factors.mean(0)
    y_head.weight.zero_()
    y_head.weight[:, : factors.shape[1]] = factors.to(y_head.weight)
    y_head.bias.copy_(mixture.log_p_y.to(y_head.bias))


