"""Turn clusters into segments that people can use."""

from pyro_gmvae.segments.outcomes import describe_outcomes, describe_run
from pyro_gmvae.segments.outcomes_results import SegmentDescription

__all__ = ["SegmentDescription", "describe_outcomes", "describe_run"]
