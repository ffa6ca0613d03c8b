"""Define distributions that Pyro lacks: for clusters, for many bits and for 8-bit pixels."""

from pyro_gmvae.distributions.bits import IndependentBernoulli, bits_log_prob
from pyro_gmvae.distributions.cluster import (
    Concrete,
    ConcreteCategorical,
    RelaxableOneHotCategorical,
    SparseOneHotCategorical,
    expected_value,
)
from pyro_gmvae.distributions.levels import LEVELS, DiscretizedLogistic, LevelMixture
from pyro_gmvae.distributions.subset import LEAST_SIZE, Subset, draw_subset

__all__ = [
    "LEAST_SIZE",
    "LEVELS",
    "Concrete",
    "ConcreteCategorical",
    "DiscretizedLogistic",
    "IndependentBernoulli",
    "LevelMixture",
    "RelaxableOneHotCategorical",
    "SparseOneHotCategorical",
    "Subset",
    "bits_log_prob",
    "draw_subset",
    "expected_value",
]
