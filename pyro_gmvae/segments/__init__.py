"""Turn clusters into segments that people can use."""

from pyro_gmvae.segments.covariates import covariates_of_run, segment_logit
from pyro_gmvae.segments.covariates_results import SegmentLogit
from pyro_gmvae.segments.outcomes import describe_outcomes, describe_run
from pyro_gmvae.segments.outcomes_results import SegmentDescription
from pyro_gmvae.segments.rules import RuleList, distil_rules, rules_of_run

__all__ = [
    "RuleList",
    "SegmentDescription",
    "SegmentLogit",
    "covariates_of_run",
    "describe_outcomes",
    "describe_run",
    "distil_rules",
    "rules_of_run",
    "segment_logit",
]
