r"""Hold a mixture of per-column laws, and estimate it from responsibilities.

.. math:: p(x) = \sum_k \pi_k \prod_d p(x_d | k)

A missing cell leaves its factor out, which is exact. The log joint is linear in the statistics of
`pyro_gmvae.networks.TableStatistics`, so that both steps are matrix products. See McLachlan and
Peel 2000, Finite mixture models, chapters 2 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, pi

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pyro_gmvae.distributions import ColumnLayout
from pyro_gmvae.likelihoods.table import LEAST_DISPERSION, MOST_DISPERSION, TableStructure
from pyro_gmvae.networks import TableStatistics

__all__ = ["ColumnMixture", "TableRows", "mixture_of", "statistic_weights"]

LEAST_RATE = 1e-3
PRIOR_LEVELS = 0.5  # pseudo-rows of the whole table's shares that each level has in a cluster


@dataclass(frozen=True, eq=False)
class TableRows:
    """Hold the statistics of the rows of a table, in float64 on the CPU.

    Attributes:
        structure: the columns.
        statistics: those of `TableStatistics`, ``(N, F)``.
        base: the counts ``(N, C)``, 0 where missing. A part of their log-likelihood is the same
            for all clusters, and is computed from them.
        counted: where a count is not missing, ``(N, C)``.
        weights: ``(N,)``, how often each row counts.

    >>> rows = TableRows.of(torch.tensor([[0.5], [torch.nan]]), TableStructure(("real",)))
    >>> len(rows), rows.statistics.tolist()  # x, its square, and whether it is seen
    (2, [[0.5, 0.25, 1.0], [0.0, 0.0, 0.0]])
    """

    structure: TableStructure
    statistics: Float[Tensor, "N F"]
    base: Float[Tensor, "N C"]
    counted: Float[Tensor, "N C"]
    weights: Float[Tensor, " N"]

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "N D"],
        structure: TableStructure,
        weights: Float[Tensor, " N"] | None = None,
    ) -> TableRows:
        """Compute the statistics of rows on model scale."""
        x = x.double().cpu()
        each = TableStatistics(structure.layout)(x)
        count = x[:, list(structure.layout.count)]
        ones = torch.ones(len(x), dtype=torch.float64)
        kept = ones if weights is None else weights.double().cpu()
        return cls(structure, each, count.nan_to_num(nan=0.0), (~count.isnan()).double(), kept)

    def __len__(self) -> int:
        return len(self.statistics)

    def take(self, rows: Int64[Tensor, " n"]) -> TableRows:
        """Take some rows."""
        parts = (self.statistics, self.base, self.counted, self.weights)
        return TableRows(self.structure, *(part[rows] for part in parts))

    def weighted(self, weights: Float[Tensor, " N"]) -> TableRows:
        """Let the rows count by other weights."""
        return replace(self, weights=weights)


@dataclass(frozen=True, eq=False)
class ColumnMixture:
    """Hold a mixture of per-column laws of K clusters, on model scale.

    Attributes:
        structure: the columns.
        log_p_y: log p(y), ``(K,)``.
        loc, variance: of the real columns, ``(K, R)``.
        rate: means of the counts, ``(K, C)``.
        dispersion: of the counts, ``(C,)``; a cluster has that of the column.
        log_p: log-probabilities of the levels, ``(K, L)``.

    >>> rows = TableRows.of(torch.tensor([[0.0], [0.0], [1.0]]), TableStructure(("levels:2",)))
    >>> mixture = mixture_of(rows, torch.ones(3, 1))
    >>> mixture.log_p.exp().round(decimals=2)
    tensor([[0.6500, 0.3500]], dtype=torch.float64)
    """

    structure: TableStructure
    log_p_y: Float[Tensor, " K"]
    loc: Float[Tensor, "K R"]
    variance: Float[Tensor, "K R"]
    rate: Float[Tensor, "K C"]
    dispersion: Float[Tensor, " C"]
    log_p: Float[Tensor, "K L"]

    def natural(self, *, weighted: bool = True) -> Float[Tensor, "K F"]:
        """Return the factors of the statistics in the log joint.

        Args:
            weighted: whether each column counts by its weight, as in training.
        """
        v, r = self.variance, self.dispersion
        total = self.rate + r
        parts = [
            self.loc / v,
            -0.5 / v,
            -0.5 * (2 * pi * v).log() - self.loc**2 / (2 * v),
            (self.rate / total).log(),
            r * (r / total).log(),
            self.log_p,
        ]
        factors = torch.cat(parts, -1)
        return factors * statistic_weights(self.structure) if weighted else factors

    def log_joint(self, rows: TableRows, *, weighted: bool = True) -> Float[Tensor, "N K"]:
        """Compute log p(y) + log p(x|y) of each row, without the term that no cluster changes."""
        return rows.statistics @ self.natural(weighted=weighted).T + self.log_p_y

    def log_p_x(self, rows: TableRows) -> Float[Tensor, "N K"]:
        """Compute log p(x|y) of each row, without the term that no cluster changes."""
        return self.log_joint(rows) - self.log_p_y

    def log_base(self, rows: TableRows, *, weighted: bool = True) -> Float[Tensor, " N"]:
        """Compute the term that no cluster changes, which is that of the counts."""
        x, r = rows.base, self.dispersion
        each = rows.counted * (torch.lgamma(x + r) - torch.lgamma(r) - torch.lgamma(x + 1))
        if weighted:
            weights = torch.tensor(self.structure.all_weights, dtype=each.dtype)
            each = each * weights[list(self.structure.layout.count)]
        return each.sum(-1)

    def log_likelihood(self, rows: TableRows, *, weighted: bool = False) -> Float[Tensor, " N"]:
        """Compute log p(x) of each row, in nats, on model scale."""
        joint = self.log_joint(rows, weighted=weighted)
        return joint.logsumexp(-1) + self.log_base(rows, weighted=weighted)


def statistic_weights(structure: TableStructure) -> Float[Tensor, " F"]:
    """Return the weight of the column that each statistic belongs to.

    >>> statistic_weights(TableStructure(("real", "levels:2"), weights=(1.0, 0.5))).tolist()
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """
    layout = structure.layout
    weights = torch.tensor(structure.all_weights, dtype=torch.float64)
    sizes = torch.tensor(layout.sizes, dtype=torch.long)
    families = [weights[list(places)] for places in (layout.real, layout.count, layout.levels)]
    real, count, levels = families
    return torch.cat([real, real, real, count, count, levels.repeat_interleave(sizes)])


def mixture_of(
    rows: TableRows, responsibilities: Float[Tensor, "N K"], *, uniform: bool = False
) -> ColumnMixture:
    """Estimate the laws of clusters from responsibilities: the M step.

    Args:
        rows: the rows.
        responsibilities: p(y|x) of each row.
        uniform: whether all clusters are equally likely.

    >>> rows = TableRows.of(torch.tensor([[1.0], [3.0], [8.0]]), TableStructure(("real",)))
    >>> mixture = mixture_of(rows, torch.eye(2)[[0, 0, 1]])
    >>> mixture.loc.flatten().round(decimals=1).tolist()  # the mean of each cluster
    [2.0, 8.0]
    """
    layout = rows.structure.layout
    n_real, n_count = len(layout.real), len(layout.count)
    r = responsibilities.double() * rows.weights.unsqueeze(-1)
    size = r.sum(0) + 1e-9
    x, xx, seen, c, counted, levels = (r.T @ rows.statistics).split(
        (n_real, n_real, n_real, n_count, n_count, layout.n_levels), -1
    )
    log_p_y = -torch.full_like(size, log(len(size))) if uniform else (size / size.sum()).log()
    loc, variance = _normal(x, xx, seen, rows.structure)
    rate, dispersion = _negative_binomial(c, counted, rows, r)
    log_p = _categorical(levels, layout)
    return ColumnMixture(rows.structure, log_p_y, loc, variance, rate, dispersion, log_p)


def _normal(x: Tensor, xx: Tensor, seen: Tensor, structure: TableStructure) -> tuple[Tensor, ...]:
    few = 1e-3  # pseudo-rows at the column's mean, for a cluster that has no cell of the column
    overall = x.sum(0) / seen.sum(0).clamp(min=1e-9)
    loc = (x + few * overall) / (seen + few)
    spread = (xx - 2 * loc * x + loc**2 * seen).clamp(min=0.0)
    # One pseudo-row of the spread within clusters keeps the law of a tiny cluster proper. A column
    # without a cell gets the spread that columns have on model scale.
    cells = seen.sum(0)
    within = torch.where(cells > 0, spread.sum(0) / cells.clamp(min=1e-9), 1.0)
    floors = torch.tensor(structure.all_floors, dtype=x.dtype)
    # Just above the floor of the likelihood, which adds its own scale to it.
    return loc, ((spread + within) / (seen + 1)).clamp(min=(1.02 * floors) ** 2)


def _negative_binomial(
    c: Tensor, counted: Tensor, rows: TableRows, r: Tensor
) -> tuple[Tensor, Tensor]:
    total, n = c.sum(0), counted.sum(0)
    overall = torch.where(n > 0, total / n.clamp(min=1e-9), 1.0)
    rate = ((c + overall) / (counted + 1)).clamp(min=LEAST_RATE)
    squares = r.T @ (rows.base * rows.base)
    # The variance beyond that of a Poisson is rate² / dispersion.
    excess = squares - 2 * rate * c + counted * rate**2 - counted * rate
    found = (counted * rate**2).sum(0) / excess.sum(0).clamp(min=1e-6)
    return rate, found.clamp(1.02 * LEAST_DISPERSION, MOST_DISPERSION)


def _categorical(levels: Tensor, layout: ColumnLayout) -> Tensor:
    parts = []
    for column, size in zip(levels.split(layout.sizes, -1), layout.sizes, strict=True):
        share = (column.sum(0) + 1) / (column.sum() + size)
        counts = column + PRIOR_LEVELS * min(size, 10) * share
        parts.append((counts / counts.sum(-1, keepdim=True)).log())
    return torch.cat(parts, -1) if parts else levels
