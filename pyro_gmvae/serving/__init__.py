"""Place rows with a run from other programs: a loop, Spark, Ray, a server, MLflow."""

from pyro_gmvae.serving.predictor import ROWS, Predictor

__all__ = ["ROWS", "Predictor"]
