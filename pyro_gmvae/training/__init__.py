"""Training: one loop for all four methods, on any device that accelerate knows."""

from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.errors import NonFiniteLossError, TrainingInterrupted
from pyro_gmvae.training.initialization import initialize, kmeans_clusters
from pyro_gmvae.training.loop import TrainResult, fit
from pyro_gmvae.training.reporters import MetricsCSV, ProgressBar, Record, Reporter, Tracker

__all__ = [
    "MetricsCSV",
    "NonFiniteLossError",
    "ProgressBar",
    "Record",
    "Reporter",
    "Tracker",
    "TrainConfig",
    "TrainResult",
    "TrainingInterrupted",
    "fit",
    "initialize",
    "kmeans_clusters",
]
