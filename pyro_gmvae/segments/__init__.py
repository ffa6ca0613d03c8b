"""Turn clusters into segments that people can use."""

from pyro_gmvae.segments.outcomes import describe_outcomes, describe_run
from pyro_gmvae.segments.outcomes_results import SegmentDescription
from pyro_gmvae.segments.rules import RuleList, distil_rules, rules_of_run

__all__ = [
    "RuleList",
    "SegmentDescription",
    "describe_outcomes",
    "describe_run",
    "distil_rules",
    "rules_of_run",
]
