"""Distributions that Pyro lacks: of the cluster, and of a pixel with 256 levels."""

from pyro_gmvae.distributions.cluster import (
    Concrete,
    ConcreteCategorical,
    RelaxableOneHotCategorical,
    SparseOneHotCategorical,
    expected_value,
)
from pyro_gmvae.distributions.levels import LEVELS, DiscretizedLogistic, LevelMixture

__all__ = [
    "LEVELS",
    "Concrete",
    "ConcreteCategorical",
    "DiscretizedLogistic",
    "LevelMixture",
    "RelaxableOneHotCategorical",
    "SparseOneHotCategorical",
    "expected_value",
]
