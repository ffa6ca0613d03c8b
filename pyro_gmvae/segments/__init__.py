"""Turn clusters into segments that people can use."""

from pyro_gmvae.segments.covariates import covariates_of_run, segment_logit
from pyro_gmvae.segments.covariates_results import SegmentLogit
from pyro_gmvae.segments.outcomes import describe_outcomes, describe_run
from pyro_gmvae.segments.outcomes_results import SegmentDescription
from pyro_gmvae.segments.rules import RuleList, distil_rules, rules_of_run
from pyro_gmvae.segments.typicality import ClusterAssignment, assign, calibrate
from pyro_gmvae.segments.typicality_folds import cross_calibrate

__all__ = [
    "ClusterAssignment",
    "RuleList",
    "SegmentDescription",
    "SegmentLogit",
    "assign",
    "calibrate",
    "covariates_of_run",
    "cross_calibrate",
    "describe_outcomes",
    "describe_run",
    "distil_rules",
    "rules_of_run",
    "segment_logit",
]
