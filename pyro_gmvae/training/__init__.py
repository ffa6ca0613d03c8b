"""Train: one loop for all four methods, on any device that accelerate knows."""

from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.diagnosis import ClusterWarning, ClusterWatch
from pyro_gmvae.training.errors import NonFiniteLossError, TrainingInterrupted
from pyro_gmvae.training.loop import TrainResult, Transform, elbo_objective, fit
from pyro_gmvae.training.reporters import MetricsCSV, ProgressBar, Record, Reporter, Tracker
from pyro_gmvae.training.step import Objective

__all__ = [
    "ClusterWarning",
    "ClusterWatch",
    "MetricsCSV",
    "NonFiniteLossError",
    "Objective",
    "ProgressBar",
    "Record",
    "Reporter",
    "Tracker",
    "TrainConfig",
    "TrainResult",
    "TrainingInterrupted",
    "Transform",
    "elbo_objective",
    "fit",
]
