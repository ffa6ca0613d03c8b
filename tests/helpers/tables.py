"""Rows of every kind of column, with gaps, and their laws by torch's own distributions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, NegativeBinomial, Normal

from pyro_gmvae.distributions import ColumnLayout, LevelIndex, TableCells
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import GMVAE, METHODS

WORDS = ("count", "real", "levels:3", "real", "levels:2", "count", "levels:5")
ONE_FAMILY = (("real", "real"), ("count", "count"), ("levels:2", "levels:4"))


def with_gaps(x: Tensor, share: float = 0.3, seed: int = 0) -> Tensor:
    """The rows with a share of their cells missing."""
    gone = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) < share
    return x.masked_fill(gone, torch.nan)


def random_cells(
    words: tuple[str, ...], *batch: int, dtype: torch.dtype = torch.float64, **options: Any
) -> TableCells:
    """Laws of such columns, drawn."""
    layout = ColumnLayout(words)
    real, count = len(layout.real), len(layout.count)
    return TableCells(
        layout,
        LevelIndex.of(layout),
        torch.randn(*batch, real, dtype=dtype),
        torch.rand(*batch, real, dtype=dtype) + 0.3,
        torch.randn(*batch, count, dtype=dtype) + 1,
        3 * torch.rand(*batch, count, dtype=dtype) + 0.5,
        torch.randn(*batch, layout.n_levels, dtype=dtype),
        **options,
    )


def column_laws(cells: TableCells) -> list[Any]:
    """A distribution of torch for each column, in the order of the table."""
    laws: dict[int, Any] = {}
    layout = cells.layout
    for i, place in enumerate(layout.real):
        laws[place] = Normal(cells.loc[..., i], cells.scale[..., i])
    for i, place in enumerate(layout.count):
        # torch has the successes before a number of failures, of log-odds log(mean / dispersion).
        r = cells.dispersion[..., i]
        laws[place] = NegativeBinomial(r, logits=cells.log_rate[..., i] - r.log())
    parts = cells.logits.split(layout.sizes, -1) if layout.sizes else ()
    for place, logits in zip(layout.levels, parts, strict=True):
        laws[place] = Categorical(logits=logits)
    return [laws[i] for i in range(len(layout))]


def column_by_column(cells: TableCells, x: Tensor) -> Tensor:
    """The log-probability of each cell, one column at a time, 0 where it is missing."""
    each = []
    for i, law in enumerate(column_laws(cells)):
        seen = ~x[..., i].isnan()
        log_p = law.log_prob(x[..., i].nan_to_num(nan=0.0))
        each.append(torch.where(seen, log_p, torch.zeros_like(log_p)))
    return torch.stack(each, -1)


def random_mixture(
    structure: TableStructure, n_clusters: int, *, seed: int = 0, apart: float = 2.0
) -> ColumnMixture:
    """Laws of some clusters, drawn; they differ more with a larger ``apart``."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    layout, k = structure.layout, n_clusters
    log_p = apart * normal(k, layout.n_levels)
    parts = log_p.split(layout.sizes, -1) if layout.sizes else ()
    return ColumnMixture(
        structure,
        (0.5 * normal(k)).log_softmax(-1),
        apart * normal(k, len(layout.real)),
        (0.3 * normal(k, len(layout.real))).exp() * 0.25,
        (0.5 * apart * normal(k, len(layout.count)) + 1).exp(),
        (0.3 * normal(len(layout.count)) + 1).exp(),
        torch.cat([p.log_softmax(-1) for p in parts], -1) if parts else log_p,
    )


def cells_of(mixture: ColumnMixture) -> TableCells:
    """The laws of each cluster of a mixture, unweighted, batch shape ``(K, D)``."""
    layout = mixture.structure.layout
    return TableCells(
        layout,
        LevelIndex.of(layout),
        mixture.loc,
        mixture.variance.sqrt(),
        mixture.rate.log(),
        mixture.dispersion.expand_as(mixture.rate),
        mixture.log_p,
    )


def drawn_rows(mixture: ColumnMixture, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows ``(n, D)`` of a mixture, float32, and their clusters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        y = Categorical(logits=mixture.log_p_y).sample((n,))
        every = cells_of(mixture).sample((n,))
    return every[torch.arange(n), y].float(), y


def log_joint(mixture: ColumnMixture, x: Tensor) -> Tensor:
    """log p(y) + log p(x|y), ``(N, K)``, unweighted, column by column."""
    return column_by_column(cells_of(mixture), x.double().unsqueeze(-2)).sum(-1) + mixture.log_p_y


def table_gmvae(
    structure: TableStructure,
    n_clusters: int = 3,
    method: str = "exact",
    seed: int = 0,
    **options: Any,
) -> GMVAE:
    """A small model of a table; its first weights depend on the seed alone."""
    options = {"hidden": (8,), "learn_mixture": True, "latent_dim": 2} | options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return METHODS[method](
            len(structure.layout),
            n_clusters,
            likelihood="table",
            table=structure,
            **options,
        )
