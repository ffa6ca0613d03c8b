"""Training: one loop for all four methods, on any device that accelerate knows."""

from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.diagnosis import ClusterWarning, ClusterWatch
from pyro_gmvae.training.errors import NonFiniteLossError, TrainingInterrupted
from pyro_gmvae.training.information import (
    best_start,
    information_loss,
    maximize_information,
)
from pyro_gmvae.training.initialization import initialize
from pyro_gmvae.training.loop import TrainResult, fit
from pyro_gmvae.training.regularizers import make_regularizer
from pyro_gmvae.training.reporters import MetricsCSV, ProgressBar, Record, Reporter, Tracker
from pyro_gmvae.training.starts import (
    CLUSTERINGS,
    STARTS,
    Rows,
    begin_near,
    kmeans_clusters,
    start_by,
)

__all__ = [
    "CLUSTERINGS",
    "ClusterWarning",
    "ClusterWatch",
    "MetricsCSV",
    "NonFiniteLossError",
    "ProgressBar",
    "Record",
    "Reporter",
    "Rows",
    "STARTS",
    "Tracker",
    "TrainConfig",
    "TrainResult",
    "TrainingInterrupted",
    "begin_near",
    "best_start",
    "fit",
    "information_loss",
    "initialize",
    "kmeans_clusters",
    "make_regularizer",
    "maximize_information",
    "start_by",
]
