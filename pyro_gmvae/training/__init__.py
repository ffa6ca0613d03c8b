"""Training: one loop for all four methods, on any device that accelerate knows."""

from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.diagnosis import ClusterWarning, ClusterWatch
from pyro_gmvae.training.errors import NonFiniteLossError, TrainingInterrupted
from pyro_gmvae.training.information import (
    best_start,
    information_loss,
    maximize_information,
    start_by,
)
from pyro_gmvae.training.initialization import initialize, kmeans_clusters
from pyro_gmvae.training.loop import TrainResult, fit
from pyro_gmvae.training.regularizers import make_regularizer
from pyro_gmvae.training.reporters import MetricsCSV, ProgressBar, Record, Reporter, Tracker

__all__ = [
    "ClusterWarning",
    "ClusterWatch",
    "MetricsCSV",
    "NonFiniteLossError",
    "ProgressBar",
    "Record",
    "Reporter",
    "Tracker",
    "TrainConfig",
    "TrainResult",
    "TrainingInterrupted",
    "best_start",
    "fit",
    "information_loss",
    "initialize",
    "kmeans_clusters",
    "make_regularizer",
    "maximize_information",
    "start_by",
]
