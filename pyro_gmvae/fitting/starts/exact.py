"""Let a GMVAE of a table begin exactly at a mixture of per-column laws."""

from __future__ import annotations

from math import expm1, log

import torch
from torch import Tensor, nn

from pyro_gmvae.evaluation import responsibilities
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows, mixture_of
from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.mixture_fit import KnownRows, fit_mixture, table_features
from pyro_gmvae.fitting.starts.raw_data import kmeans_clusters
from pyro_gmvae.fitting.starts.registry import start_by_name
from pyro_gmvae.fitting.starts.teaching import responsibilities_of
from pyro_gmvae.likelihoods import Table
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.labels import Labels
from pyro_gmvae.networks import MIN_SCALE, GatedDecoder, PlacedMixtureHead, TableFeatures

__all__ = ["begin_at_mixture", "begin_table"]

FIRST_STYLE = 0.3  # factor of the first weights of the style's mean


def begin_table(
    context: StartContext, name: str, clusters: Labels | None, known: KnownRows
) -> None:
    """Let the model of a table begin exactly at a mixture of per-column laws.

    The start ``"mixture"`` fits one by expectation maximisation. Another start's clusters give the
    laws of theirs. ``"information"`` has taught q(y|x) already, and gives the laws of its clusters;
    ``"random"`` begins at laws that are almost those of the whole table.

    Args:
        context: data and model.
        name: the start.
        clusters: the clusters or responsibilities of the start ``"given"``.
        known: what is known of the clusters of some rows.
    """
    gmvae = context.gmvae
    likelihood = gmvae.model.likelihood
    assert isinstance(likelihood, Table)
    x = context.encoded()
    rows = TableRows.of(x, likelihood.structure, context.weights)
    features = table_features(likelihood.structure, x)
    points = features(x)[:, : likelihood.layout.n_central]  # without the flags of missing cells
    uniform = not isinstance(gmvae.model.mixture_logits, nn.Parameter)
    if name == "mixture":
        mixture = fit_mixture(
            rows,
            points.double(),
            gmvae.n_components,
            seed=context.seed,
            uniform=uniform,
            known=known,
        )
    else:
        found = _clusters(context, name, clusters, x, points)
        mixture = mixture_of(rows, responsibilities_of(found, gmvae.n_components), uniform=uniform)
    begin_at_mixture(gmvae, mixture, features, teach=name != "information")


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
    unit = torch.ones_like(centre)
    unit[:, : mixture.loc.shape[1]] = mixture.variance.sqrt()
    decoder.begin_at(centre.to(like), unit.to(like))
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


def _clusters(
    context: StartContext, name: str, clusters: Labels | None, x: Tensor, points: Tensor
) -> Labels:
    """Find the clusters or responsibilities of a start; ``points`` stand for rows in k-means."""
    gmvae = context.gmvae
    if name == "given":
        assert clusters is not None
        return clusters
    if name == "information":
        return responsibilities(gmvae, x)
    if name == "random":
        generator = torch.Generator().manual_seed(context.seed)
        return torch.rand(len(x), gmvae.n_components, generator=generator).softmax(-1)
    if name == "kmeans":  # of codes and gaps themselves there is none
        return kmeans_clusters(
            points, gmvae.n_components, seed=context.seed, weights=context.weights
        )
    return start_by_name(name)(context)
