"""Turn clusters into segments that people can use."""

from pyro_gmvae.segments.covariates.effects import effects_of_run
from pyro_gmvae.segments.covariates.logit import covariates_of_run, segment_logit
from pyro_gmvae.segments.covariates.results import SegmentLogit
from pyro_gmvae.segments.explanation.explain import Explanation, explain
from pyro_gmvae.segments.outcomes.describe import describe_outcomes, describe_run
from pyro_gmvae.segments.outcomes.results import SegmentDescription
from pyro_gmvae.segments.refitting.refit import RESAMPLES, FirstStep, Refit, refit_segments
from pyro_gmvae.segments.rejection.assign import ClusterAssignment, assign, calibrate
from pyro_gmvae.segments.rejection.folds import cross_calibrate
from pyro_gmvae.segments.rules.distil import RuleList, distil_rules, rules_of_run

__all__ = [
    "RESAMPLES",
    "ClusterAssignment",
    "Explanation",
    "FirstStep",
    "Refit",
    "RuleList",
    "SegmentDescription",
    "SegmentLogit",
    "assign",
    "calibrate",
    "covariates_of_run",
    "cross_calibrate",
    "describe_outcomes",
    "effects_of_run",
    "describe_run",
    "effects_of_run",
    "distil_rules",
    "explain",
    "refit_segments",
    "rules_of_run",
    "segment_logit",
]
