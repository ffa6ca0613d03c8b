"""Let a GMVAE of a table of numbers begin exactly at a mixture of Gaussians."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.gaussians import GaussianRows, Gaussians, Shape
from pyro_gmvae.fitting.starts.heads import (
    begin_style,
    cluster_head,
    n_statistics,
    set_posterior,
)
from pyro_gmvae.fitting.starts.membership import MembershipRows, join
from pyro_gmvae.fitting.starts.portfolio import (
    Found,
    best_mixture,
    best_of_portfolio,
    continued,
    mixture_of_clusters,
)
from pyro_gmvae.fitting.starts.registry import CONTINUED, GIVEN, RETAUGHT, clusters_of
from pyro_gmvae.fitting.starts.teaching import responsibilities_of, teach_clusters
from pyro_gmvae.likelihoods import Table
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.labels import Labels
from pyro_gmvae.networks import GatedDecoder

__all__ = ["begin_at_gaussians", "begin_gaussian_table"]

LEAST_NOISE = 1e-6  # share of a column's variance in a cluster along its narrowest axis, at least
TIE = 1e-6  # by which the first of two columns is longer where both are equally long
NOISE_SHARE = 0.1  # of the variance along the narrowest axis; the rest is style


def begin_gaussian_table(context: StartContext, name: str, clusters: Labels | None) -> None:
    """Let the model of a table of numbers begin at the Gaussians of a start.

    Args:
        context: data and model.
        name: the start; ``"portfolio"`` compares several (see `best_of_portfolio`).
        clusters: the clusters or responsibilities of the starts ``"given"``, ``"continued"`` and
            ``"retaught"``.

    >>> from pyro_gmvae.evaluation import responsibilities
    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(
    ...     1, n_components=2, latent_dim=1, hidden=(4,), likelihood="table",
    ...     table=TableStructure(("real",), correlated=True),
    ... )
    >>> x = torch.tensor([[0.0], [0.5], [1.0], [5.0], [5.5], [6.0]])
    >>> begin_gaussian_table(StartContext(gmvae, x, TrainConfig(seed=0)), "mixture", None)
    >>> clusters = responsibilities(gmvae, x).argmax(-1)
    >>> [part.unique().numel() for part in (clusters, clusters[:3], clusters[3:])]
    [2, 1, 1]
    """
    gmvae = context.gmvae
    likelihood = gmvae.model.likelihood
    assert isinstance(likelihood, Table)
    x = context.encoded()
    rows = GaussianRows.of(x, context.weights, likelihood.structure.all_floors)
    uniform = not isinstance(gmvae.model.mixture_logits, nn.Parameter)
    k, seed = gmvae.n_components, context.seed
    if k == 1:
        found = mixture_of_clusters(rows, torch.ones(len(x), 1), uniform=uniform)
    elif name == "portfolio":
        found = best_of_portfolio(rows, k, seed=seed, uniform=uniform)
    elif name == "mixture":
        found = best_mixture(rows, k, seed=seed, uniform=uniform)
    elif name in (CONTINUED, RETAUGHT):
        r = responsibilities_of(clusters_of(name, context, clusters), k)
        found = continued(rows, r, taught=name == RETAUGHT, seed=seed, uniform=uniform)
    else:
        r = responsibilities_of(clusters_of(name, context, clusters), k)
        found = mixture_of_clusters(rows, r, uniform=uniform)
        if name == "random":
            found = Found(found.mixture)
    if name in ("portfolio", "mixture", CONTINUED, RETAUGHT) and found.clusters is None:
        found = _with_covariates(found, rows, context)
    begin_at_gaussians(gmvae, found.mixture)
    if found.clusters is not None:
        _forget_posterior(gmvae, seed)
        learned = clusters if name == GIVEN and clusters is not None else found.clusters
        teach_clusters(gmvae, x, learned, seed=seed, weights=context.weights)


def _with_covariates(found: Found, rows: GaussianRows, context: StartContext) -> Found:
    """Let a fit go on with p(y|w) until it converges, if there are covariates.

    A fit that ends early is still near k-means, and would draw the coefficients of p(y|w) towards
    0. Full covariances that go on may collapse on a few rows, so shrunk ones take their place.
    """
    if context.covariates is None or context.n_clusters == 1:
        return found

    shape: Shape = "shrunk" if found.mixture.shape == "full" else found.mixture.shape

    def laws(r: Tensor) -> Tensor:
        return Gaussians.of(rows, r, shape).log_p_x(rows)

    membership = MembershipRows.of(context.covariates, context.weights)
    begun = found.mixture.log_joint(rows).softmax(-1)
    r = join(membership, begun, laws).responsibilities
    return Found(Gaussians.of(rows, r, shape))


class _Axes(NamedTuple):
    """Hold Gaussians as a linear style and noise: x = loc + W u + noise, u standard normal.

    Attributes:
        loading: W transposed, ``(K, Z, R)``.
        noise: standard deviations, ``(K, R)``.
        slope, level, spread: the mean of u given x is ``x @ slope + level``; its standard
            deviation is the spread; shapes ``(K, R, Z)``, ``(K, Z)``, ``(K, Z)``.
    """

    loading: Tensor
    noise: Tensor
    slope: Tensor
    level: Tensor
    spread: Tensor


def _axes(mixture: Gaussians, latent_dim: int, floors: Float[Tensor, " R"]) -> _Axes:
    """Split covariances into a style of Z dimensions and noise.

    With as many dimensions as columns this is exact, and so is the posterior of u, whose
    dimensions are independent: they lie along the axes of the cluster, once every column is
    divided by its noise. This is probabilistic principal component analysis in each cluster
    (Tipping and Bishop 1999, Mixtures of probabilistic principal component analysers).
    """
    covariance, n_columns = mixture.covariance, mixture.loc.shape[-1]
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    sd = variance.sqrt()
    correlation = covariance / (sd.unsqueeze(-1) * sd.unsqueeze(-2))
    least = torch.linalg.eigvalsh(correlation)[..., :1].clamp(min=LEAST_NOISE)
    noise = torch.maximum((NOISE_SHARE * least).sqrt() * sd, 1.02 * floors)
    scaled = covariance / (noise.unsqueeze(-1) * noise.unsqueeze(-2))
    # Axes of equal length have no order, and no axis has a direction. Both are fixed, or rounding
    # would decide what is drawn later.
    first = torch.arange(n_columns, 0, -1).to(scaled) / n_columns
    values, vectors = torch.linalg.eigh(scaled * (1 + TIE * torch.diag(first)))
    vectors = torch.where((first @ vectors).unsqueeze(-2) < 0, -vectors, vectors)
    kept = min(latent_dim, n_columns)
    values, vectors = values.flip(-1)[..., :kept], vectors.flip(-1)[..., :kept]
    w = noise.unsqueeze(-1) * vectors * (values - 1).clamp(min=0).sqrt().unsqueeze(-2)
    if kept < n_columns:  # the other axes become noise
        noise = (variance - w.square().sum(-1)).clamp(min=0).sqrt().maximum(noise)
    w = nn.functional.pad(w, (0, latent_dim - kept))
    by_noise = w / noise.square().unsqueeze(-1)
    precision = torch.eye(latent_dim, dtype=w.dtype) + w.mT @ by_noise
    slope = by_noise @ torch.linalg.inv(precision)
    level = -(mixture.loc.unsqueeze(-2) @ slope).squeeze(-2)
    spread = precision.diagonal(dim1=-2, dim2=-1).rsqrt()
    return _Axes(w.mT, noise, slope, level, spread)


@torch.no_grad()
def begin_at_gaussians(gmvae: GMVAE, mixture: Gaussians) -> None:
    """Set the weights of a pair so that p(x) is the mixture's, and the guide its exact posterior.

    So the first ELBO is the log-likelihood of the mixture, if there are as many dimensions in z as
    columns. With fewer, p(x) is close to the mixture's, and q(y|x) is still its posterior.

    Args:
        gmvae: a pair with the networks of a table whose real columns are correlated.
        mixture: the Gaussians of its K clusters.

    >>> from pyro_gmvae.evaluation import responsibilities
    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(
    ...     1, n_components=2, latent_dim=1, hidden=(4,), likelihood="table",
    ...     table=TableStructure(("real",), correlated=True),
    ... )
    >>> x, r = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.eye(2)[[1, 1, 0, 0]]
    >>> begin_at_gaussians(gmvae, Gaussians.of(GaussianRows.of(x), r, "full"))
    >>> responsibilities(gmvae, x).argmax(-1).tolist()
    [1, 1, 0, 0]
    """
    model, guide = gmvae.model, gmvae.guide
    decoder, likelihood = model.decoder, model.likelihood
    assert isinstance(decoder, GatedDecoder) and isinstance(likelihood, Table)
    like = model.component_loc
    axes = _axes(mixture, gmvae.latent_dim, likelihood.floors.double().cpu())
    none = axes.noise.new_zeros(gmvae.n_components, 0)
    centre = likelihood.output_of(mixture.loc.to(like), axes.noise.to(like), *[none.to(like)] * 3)
    unit = torch.ones_like(centre)
    unit[:, : axes.noise.shape[1]] = axes.noise
    decoder.begin_at(centre, unit, axes.loading.to(like))
    model.mixture_logits.copy_(mixture.log_p_y.to(like))
    guide.z_head.line.begin_at(axes.slope, axes.level, axes.spread)
    if axes.loading.any():  # the linear style knows all that hidden layers could tell at first
        begin_style(gmvae, 0.0)
    else:
        begin_style(gmvae)
    of_x, of_products, constant = mixture.factors()
    squares, mixed = of_products.tensor_split([of_x.shape[-1]], -1)
    factors = torch.cat([of_x, squares, torch.zeros_like(of_x), mixed], -1)
    set_posterior(gmvae, factors, constant - constant.mean())


@torch.no_grad()
def _forget_posterior(gmvae: GMVAE, seed: int) -> None:
    """Let q(y|x) begin without the mixture's posterior, to learn by hidden features alone."""
    y_head, n = cluster_head(gmvae), n_statistics(gmvae)
    y_head.weight[:, :n] = 0
    y_head.bias.zero_()
    generator = torch.Generator().manual_seed(seed)
    nn.init.normal_(y_head.weight[:, n:], std=0.1, generator=generator)
