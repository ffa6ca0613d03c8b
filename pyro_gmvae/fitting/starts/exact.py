"""Let a GMVAE of a table begin exactly at a mixture of per-column laws."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyro_gmvae.evaluation import responsibilities
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows, mixture_of
from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.heads import begin_style, set_posterior
from pyro_gmvae.fitting.starts.membership import MembershipRows, join
from pyro_gmvae.fitting.starts.mixture_fit import (
    KnownRows,
    continue_mixture,
    fit_mixture,
    table_features,
)
from pyro_gmvae.fitting.starts.raw_data import kmeans_clusters
from pyro_gmvae.fitting.starts.registry import CONTINUED, clusters_of
from pyro_gmvae.fitting.starts.teaching import responsibilities_of
from pyro_gmvae.likelihoods import Table
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.labels import Labels
from pyro_gmvae.networks import GatedDecoder, TableFeatures

__all__ = ["begin_at_mixture", "begin_table"]


def begin_table(
    context: StartContext, name: str, clusters: Labels | None, known: KnownRows
) -> None:
    """Let the model of a table begin exactly at a mixture of per-column laws.

    The start ``"mixture"`` fits one by expectation maximisation, and ``"continued"`` goes on with
    it from responsibilities. Another start's clusters give the laws of theirs. ``"information"``
    has taught q(y|x) already, and gives the laws of its clusters; ``"random"`` begins at laws that
    are almost those of the whole table.

    Args:
        context: data and model.
        name: the start.
        clusters: the clusters or responsibilities of the starts ``"given"``, ``"continued"`` and
            ``"retaught"``.
        known: what is known of the clusters of some rows.

    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(
    ...     1, n_components=2, latent_dim=1, hidden=(4,), likelihood="table",
    ...     table=TableStructure(("real",)),
    ... )
    >>> x = torch.tensor([[0.0], [0.5], [1.0], [5.0], [5.5], [6.0]])
    >>> begin_table(StartContext(gmvae, x, TrainConfig(seed=0)), "mixture", None, KnownRows())
    >>> clusters = responsibilities(gmvae, x).argmax(-1)
    >>> [part.unique().numel() for part in (clusters, clusters[:3], clusters[3:])]
    [2, 1, 1]
    """
    gmvae = context.gmvae
    likelihood = gmvae.model.likelihood
    assert isinstance(likelihood, Table)
    x = context.encoded()
    rows = TableRows.of(x, likelihood.structure, context.weights)
    features = table_features(likelihood.structure, x)
    points = features(x)[:, : likelihood.layout.n_central]  # without the flags of missing cells
    uniform = not isinstance(gmvae.model.mixture_logits, nn.Parameter)
    k, seed = gmvae.n_components, context.seed
    if name == "mixture":
        mixture = fit_mixture(rows, points.double(), k, seed=seed, uniform=uniform, known=known)
    elif name == CONTINUED:
        r = responsibilities_of(clusters_of(name, context, clusters), k)
        mixture = continue_mixture(
            rows, points.double(), r, seed=seed, uniform=uniform, known=known
        )
    else:
        found = _clusters(context, name, clusters, x, points)
        mixture = mixture_of(rows, responsibilities_of(found, k), uniform=uniform)
    if name in ("mixture", CONTINUED) and not len(known.places()):
        mixture = _with_covariates(mixture, rows, context)
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

    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> table = TableStructure(("real", "real"))
    >>> gmvae = ExactGMVAE(
    ...     2, n_components=2, latent_dim=1, hidden=(4,), likelihood="table", table=table
    ... )
    >>> x, r = torch.tensor([[0.0, 0.0], [0.5, 0.5], [5.0, 5.0]]), torch.eye(2)[[1, 1, 0]]
    >>> begin_at_mixture(gmvae, mixture_of(TableRows.of(x, table), r), table_features(table, x))
    >>> responsibilities(gmvae, x).argmax(-1).tolist()
    [1, 1, 0]
    """
    model = gmvae.model
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
    begin_style(gmvae)
    if teach:
        set_posterior(gmvae, mixture.natural(), mixture.log_p_y)


def _with_covariates(
    mixture: ColumnMixture, rows: TableRows, context: StartContext
) -> ColumnMixture:
    """Let a fit go on by p(y|w), if there are covariates; they tell clusters apart too."""
    if context.covariates is None:
        return mixture

    def laws(r: Tensor) -> Tensor:
        found = mixture_of(rows, r)
        return found.log_p_x(rows) + found.log_base(rows).unsqueeze(-1)

    membership = MembershipRows.of(context.covariates, context.weights)
    begun = mixture.log_joint(rows).softmax(-1)
    return mixture_of(rows, join(membership, begun, laws).responsibilities)


def _clusters(
    context: StartContext, name: str, clusters: Labels | None, x: Tensor, points: Tensor
) -> Labels:
    """Find the clusters or responsibilities of a start; ``points`` stand for rows in k-means."""
    if name == "information":
        return responsibilities(context.gmvae, x)
    if name == "kmeans":  # of codes and gaps themselves there is none
        return kmeans_clusters(
            points, context.n_clusters, seed=context.seed, weights=context.weights
        )
    return clusters_of(name, context, clusters)
