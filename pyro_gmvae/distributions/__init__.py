"""Define distributions that Pyro lacks: for clusters, many bits, 8-bit pixels and table rows."""

from pyro_gmvae.distributions.bits import IndependentBernoulli, bits_log_prob
from pyro_gmvae.distributions.cluster import (
    Concrete,
    ConcreteCategorical,
    RelaxableOneHotCategorical,
    SparseOneHotCategorical,
    expected_value,
)
from pyro_gmvae.distributions.columns import ColumnLayout
from pyro_gmvae.distributions.gamma import log_gamma
from pyro_gmvae.distributions.levels import LEVELS, DiscretizedLogistic, LevelMixture
from pyro_gmvae.distributions.subset import LEAST_SIZE, Subset, draw_subset
from pyro_gmvae.distributions.table import IndexedColumns, LevelIndex, TableCells

__all__ = [
    "LEAST_SIZE",
    "LEVELS",
    "ColumnLayout",
    "Concrete",
    "ConcreteCategorical",
    "DiscretizedLogistic",
    "IndependentBernoulli",
    "IndexedColumns",
    "LevelIndex",
    "LevelMixture",
    "RelaxableOneHotCategorical",
    "SparseOneHotCategorical",
    "Subset",
    "TableCells",
    "bits_log_prob",
    "draw_subset",
    "expected_value",
    "log_gamma",
]
