"""Turn clusters into segments that people can use."""

from pyro_gmvae.segments.typicality import ClusterAssignment, assign, calibrate
from pyro_gmvae.segments.typicality_folds import cross_calibrate

__all__ = ["ClusterAssignment", "assign", "calibrate", "cross_calibrate"]
