r"""Hold Gaussian mixtures of the rows of a table, and fit many at once by expectation maximisation.

.. math:: p(x) = \sum_k \pi_k N(x | \mu_k, \Sigma_k)

Fits from several first responsibilities, or on several parts of the rows, are one batch, so that
ten of them cost hardly more than one where rows are few. See McLachlan and Peel 2000, Finite
mixture models, chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["SHAPES", "GaussianRows", "Gaussians", "Shape", "expectation_maximization"]

Shape = Literal["full", "shrunk", "tied", "diagonal"]
SHAPES: tuple[Shape, ...] = ("full", "shrunk", "tied", "diagonal")

FEW_ROWS = 0.01  # pseudo-rows of the covariance within clusters that keep a full one regular
MOST_NUMBERS = 20_000_000  # responsibilities that are held at a time
PARAMETERS = "log_p_y", "loc", "covariance"  # the tensors of a mixture


@dataclass(frozen=True, eq=False)
class GaussianRows:
    """Hold rows in float64 on the CPU, and the terms in which the log joint is linear.

    Attributes:
        x: ``(N, R)``.
        weights: how often each row counts, ``(N,)``.
        floors: least standard deviation of each column, ``(R,)``.
        terms: one, the columns, their squares, and their other products of two,
            ``(N, 1 + R + R (R + 1) / 2)``.

    >>> rows = GaussianRows.of(torch.tensor([[3.0, 2.0]]))
    >>> rows.terms.tolist()
    [[1.0, 3.0, 2.0, 9.0, 4.0, 6.0]]
    """

    x: Float[Tensor, "N R"]
    weights: Float[Tensor, " N"]
    floors: Float[Tensor, " R"]
    terms: Float[Tensor, "N T"]

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "N R"],
        weights: Float[Tensor, " N"] | None = None,
        floors: tuple[float, ...] = (),
    ) -> GaussianRows:
        """Take rows on model scale."""
        x = x.double().cpu()
        kept = torch.ones(len(x)) if weights is None else weights.cpu()
        least = torch.tensor(floors, dtype=torch.float64) if floors else torch.zeros(x.shape[1])
        first, second = _pairs(x.shape[1])
        terms = torch.cat([torch.ones_like(x[:, :1]), x, x[:, first] * x[:, second]], -1)
        return cls(x, kept.double(), least.double(), terms)

    def __len__(self) -> int:
        return len(self.x)

    def mean(self, each: Float[Tensor, " N"]) -> float:
        """Return the mean of a figure of each row, by their weights."""
        return float((self.weights * each).sum() / self.weights.sum())

    def terms_of(self, shape: Shape) -> Float[Tensor, "N T"]:
        """Return the terms that covariances of a shape need: diagonal ones only the squares."""
        return self.terms[:, : 1 + 2 * self.x.shape[1]] if shape == "diagonal" else self.terms

    def take(self, rows: Int64[Tensor, " n"]) -> GaussianRows:
        """Take some rows."""
        return GaussianRows(self.x[rows], self.weights[rows], self.floors, self.terms[rows])


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Hold one mixture of K Gaussians, or a batch of mixtures.

    Attributes:
        shape: of the covariances.
        log_p_y: log p(y), ``(*batch, K)``.
        loc: means, ``(*batch, K, R)``.
        covariance: ``(*batch, K, R, R)``.

    >>> rows = GaussianRows.of(torch.tensor([[0.0], [2.0]]))
    >>> Gaussians.of(rows, torch.ones(2, 1), "full").covariance.item()  # divided by N, not N - 1
    1.0
    """

    shape: Shape
    log_p_y: Float[Tensor, "*batch K"]
    loc: Float[Tensor, "*batch K R"]
    covariance: Float[Tensor, "*batch K R R"]

    @classmethod
    def of(
        cls,
        rows: GaussianRows,
        responsibilities: Float[Tensor, "*batch N K"],
        shape: Shape,
        *,
        weights: Float[Tensor, "*batch N"] | None = None,
        uniform: bool = False,
    ) -> Gaussians:
        """Estimate the mixture from responsibilities: the M step.

        Args:
            rows: the rows.
            responsibilities: p(y|x) of each row.
            shape: ``"full"`` covariances; ``"shrunk"`` ones, with R + 2 pseudo-rows of the
                covariance within clusters; ``"tied"``, which is that covariance for all; or
                ``"diagonal"``.
            weights: how often each row counts, in place of those of ``rows``.
            uniform: whether all clusters are equally likely.
        """
        kept = rows.weights if weights is None else weights
        n_columns = rows.x.shape[1]
        sums = responsibilities.double().mT @ (kept.unsqueeze(-1) * rows.terms_of(shape))
        size = sums[..., 0] + 1e-9
        loc = sums[..., 1 : 1 + n_columns] / size.unsqueeze(-1)
        scatter = _symmetric(sums[..., 1 + n_columns :], n_columns)
        scatter = scatter - size[..., None, None] * loc.unsqueeze(-1) * loc.unsqueeze(-2)
        total = size.sum(-1, keepdim=True)
        within = (scatter.sum(-3) / total.unsqueeze(-1)).unsqueeze(-3)
        n = size[..., None, None]
        if shape == "diagonal":
            spread = (scatter + within) / (n + 1)
            covariance = torch.diag_embed(spread.diagonal(dim1=-2, dim2=-1).clamp(min=0.0))
        elif shape == "tied":
            covariance = within.expand_as(scatter)
        else:
            few = FEW_ROWS if shape == "full" else n_columns + 2
            covariance = (scatter + few * within) / (n + few)
        # Above the floor of the likelihood, which adds its own scale to it.
        covariance = covariance + torch.diag((1.1 * rows.floors) ** 2)
        log_p_y = (size / total).log()
        if uniform:
            log_p_y = torch.full_like(log_p_y, -log(log_p_y.shape[-1]))
        return cls(shape, log_p_y, loc, covariance)

    def __getitem__(self, place: int) -> Gaussians:
        """Take one mixture of a batch."""
        return Gaussians(self.shape, *(getattr(self, name)[place] for name in PARAMETERS))

    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the factors of x, of the products, and the constant, in the log joint.

        log p(y) + log p(x|y) is linear in the columns and in their products, of which the squares
        come first.
        """
        n_columns = self.loc.shape[-1]
        root = torch.linalg.cholesky(self.covariance)
        precision = torch.cholesky_inverse(root)
        of_x = (precision @ self.loc.unsqueeze(-1)).squeeze(-1)
        first, second = _pairs(n_columns)
        halves = torch.where(first == second, -0.5, -1.0).to(precision)
        of_products = halves * precision[..., first, second]
        log_det = 2 * root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = -0.5 * (log_det + n_columns * log(2 * pi) + (self.loc * of_x).sum(-1))
        return of_x, of_products, self.log_p_y + constant

    def log_joint(self, rows: GaussianRows) -> Float[Tensor, "*batch N K"]:
        """Compute log p(y) + log p(x|y) of each row, in nats, on model scale."""
        of_x, of_products, constant = self.factors()
        factors = torch.cat([constant.unsqueeze(-1), of_x, of_products], -1)
        terms = rows.terms_of(self.shape)
        return terms @ factors[..., : terms.shape[1]].mT

    def log_p_x(self, rows: GaussianRows) -> Float[Tensor, "*batch N K"]:
        """Compute log p(x|y) of each row, in nats, on model scale."""
        return self.log_joint(rows) - self.log_p_y.unsqueeze(-2)


def expectation_maximization(
    rows: GaussianRows,
    begun: Float[Tensor, "T N K"],
    shape: Shape,
    *,
    rounds: int,
    least_gain: float,
    weights: Float[Tensor, "T N"] | None = None,
    uniform: bool = False,
) -> tuple[Gaussians, Float[Tensor, " T"]]:
    """Fit a batch of T mixtures, each from its own first responsibilities.

    Args:
        rows: the rows.
        begun: the first responsibilities.
        shape: of the covariances; see `Gaussians.of`.
        rounds: rounds of each fit, at most.
        least_gain: nats a row by which a round must raise a fit that goes on.
        weights: how often each row counts in each fit; None takes those of ``rows``.
        uniform: whether all clusters are equally likely.

    Returns:
        The mixtures, and the mean log-likelihood of the rows under each, in nats.

    >>> rows = GaussianRows.of(torch.tensor([[0.0], [1.0], [8.0], [9.0]]))
    >>> begun = torch.tensor([[[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.4, 0.6]]])
    >>> found, value = expectation_maximization(rows, begun, "full", rounds=50, least_gain=1e-6)
    >>> found.loc.flatten().round(decimals=3).tolist()
    [0.5, 8.5]
    """
    kept = rows.weights.expand(len(begun), -1) if weights is None else weights
    most = max(1, MOST_NUMBERS // (begun.shape[1] * begun.shape[2]))
    if len(begun) > most:
        parts = [
            expectation_maximization(
                rows,
                part,
                shape,
                rounds=rounds,
                least_gain=least_gain,
                weights=own,
                uniform=uniform,
            )
            for part, own in zip(begun.split(most), kept.split(most), strict=True)
        ]
        fits, values = zip(*parts, strict=True)
        joined = (torch.cat([getattr(fit, name) for fit in fits]) for name in PARAMETERS)
        return Gaussians(shape, *joined), torch.cat(values)
    found = Gaussians.of(rows, begun, shape, weights=kept, uniform=uniform)
    value = torch.full((len(begun),), -torch.inf, dtype=torch.float64)
    going, mixture = torch.arange(len(begun)), found  # the fits that have not ended
    for _ in range(rounds):
        own = kept[going]
        log_p, responsibilities = _expectation(mixture.log_joint(rows))
        reached = (own * log_p).sum(-1) / own.sum(-1)
        gains = reached - value[going] >= least_gain
        value[going] = torch.maximum(value[going], reached)
        if not gains.all():
            going, responsibilities, own = going[gains], responsibilities[gains], own[gains]
        if not len(going):
            break
        mixture = Gaussians.of(rows, responsibilities, shape, weights=own, uniform=uniform)
        for name in PARAMETERS:
            getattr(found, name)[going] = getattr(mixture, name)
    return found, value


def _expectation(
    joint: Float[Tensor, "*batch N K"],
) -> tuple[Float[Tensor, "*batch N"], Float[Tensor, "*batch N K"]]:
    """Return log p(x) and p(y|x): the E step, by one exponential, in the memory of ``joint``."""
    most = joint.amax(-1, keepdim=True)
    shares = joint.sub_(most).exp_()
    total = shares.sum(-1, keepdim=True)
    return (most + total.log()).squeeze(-1), shares.div_(total)


def _pairs(n_columns: int) -> tuple[Tensor, Tensor]:
    """Return the columns of each product of two, the squares first."""
    each, (first, second) = torch.arange(n_columns), torch.triu_indices(n_columns, n_columns, 1)
    return torch.cat([each, first]), torch.cat([each, second])


def _symmetric(products: Float[Tensor, "*batch P"], n_columns: int) -> Float[Tensor, "*batch R R"]:
    """Return matrices of the products, or diagonal ones of the squares alone."""
    first, second = (columns[: products.shape[-1]] for columns in _pairs(n_columns))
    full = products.new_zeros((*products.shape[:-1], n_columns, n_columns))
    full[..., first, second] = products
    full[..., second, first] = products
    return full
