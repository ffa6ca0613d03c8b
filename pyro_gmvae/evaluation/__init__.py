"""Evaluation, the same for all four methods: every one is judged under the discrete model.

ArviZ, scikit-learn and SciPy are imported by the functions that need them.
"""

from pyro_gmvae.evaluation.arviz import to_inference_data
from pyro_gmvae.evaluation.clustering import (
    ClusteringScores,
    ClusterUsage,
    cluster_usage,
    clustering_scores,
)
from pyro_gmvae.evaluation.comparison import compare
from pyro_gmvae.evaluation.evaluate import Evaluation, evaluate
from pyro_gmvae.evaluation.generate import cluster_means, reconstruct, sample
from pyro_gmvae.evaluation.latents import embed, responsibilities
from pyro_gmvae.evaluation.likelihood import LogLikelihood, log_likelihood

__all__ = [
    "ClusterUsage",
    "ClusteringScores",
    "Evaluation",
    "LogLikelihood",
    "cluster_means",
    "cluster_usage",
    "clustering_scores",
    "compare",
    "embed",
    "evaluate",
    "log_likelihood",
    "reconstruct",
    "responsibilities",
    "sample",
    "to_inference_data",
]
