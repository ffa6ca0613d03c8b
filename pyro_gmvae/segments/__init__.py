"""Turn clusters into segments that people can use."""

from pyro_gmvae.segments.typicality import Assignment, assign, calibrate
from pyro_gmvae.segments.typicality_folds import cross_calibrate

__all__ = ["Assignment", "assign", "calibrate", "cross_calibrate"]
