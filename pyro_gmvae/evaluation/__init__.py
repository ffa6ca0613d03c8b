"""Evaluate all four methods in the same way, under the discrete model.

ArviZ, scikit-learn and SciPy are imported by the functions that need them.
"""

from pyro_gmvae.evaluation._batches import default_batch_size
from pyro_gmvae.evaluation.arviz import to_inference_data
from pyro_gmvae.evaluation.calibration import Calibration, Rejection
from pyro_gmvae.evaluation.cells import cell_log_p
from pyro_gmvae.evaluation.clustering import (
    ClusteringScores,
    ClusterUsage,
    cluster_usage,
    clustering_scores,
)
from pyro_gmvae.evaluation.comparison import compare, compare_likelihoods
from pyro_gmvae.evaluation.criteria import aic, bic, free_parameters
from pyro_gmvae.evaluation.evaluate import Evaluation, evaluate, summarize
from pyro_gmvae.evaluation.generate import cluster_means, reconstruct, sample
from pyro_gmvae.evaluation.impute import impute
from pyro_gmvae.evaluation.latents import embed, responsibilities
from pyro_gmvae.evaluation.likelihood import LogLikelihood, log_likelihood
from pyro_gmvae.evaluation.predictive import PredictiveCheck, predictive_checks
from pyro_gmvae.evaluation.resampling import ClusterStability, cluster_stability
from pyro_gmvae.evaluation.sampling import SampleStability
from pyro_gmvae.evaluation.selection import Candidate, Selection, select
from pyro_gmvae.evaluation.stability import (
    Stability,
    best_matching,
    consensus,
    pairwise_ari,
    stability,
)

__all__ = [
    "Calibration",
    "Candidate",
    "ClusterStability",
    "ClusterUsage",
    "ClusteringScores",
    "Evaluation",
    "LogLikelihood",
    "PredictiveCheck",
    "Rejection",
    "Selection",
    "SampleStability",
    "Stability",
    "aic",
    "best_matching",
    "bic",
    "cell_log_p",
    "cluster_means",
    "cluster_stability",
    "cluster_usage",
    "clustering_scores",
    "compare",
    "compare_likelihoods",
    "consensus",
    "default_batch_size",
    "embed",
    "evaluate",
    "free_parameters",
    "impute",
    "log_likelihood",
    "pairwise_ari",
    "predictive_checks",
    "reconstruct",
    "responsibilities",
    "sample",
    "select",
    "stability",
    "summarize",
    "to_inference_data",
]
