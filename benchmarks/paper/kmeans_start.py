"""Start a model near a k-means clustering of its data."""

from __future__ import annotations

from torch import Tensor

from pyro_gmvae.data import Preprocessor
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training import TrainConfig, initialize, kmeans_clusters

__all__ = ["start_near_kmeans"]


def start_near_kmeans(
    gmvae: GMVAE,
    x: Tensor,
    config: TrainConfig,
    *,
    seed: int,
    transform: Preprocessor | None = None,
) -> None:
    """Cluster ``x`` by k-means, and let the model learn these clusters.

    Args:
        gmvae: the model, which is changed.
        x: the training rows, shape ``(N, *event)``.
        config: the settings of the training that follows.
        seed: the seed of k-means.
        transform: the map from rows to the model's input; k-means sees its mean. None: ``x`` is the
            input.
    """
    seen = x if transform is None else transform.mean_input(x.to(config.device))
    clusters = kmeans_clusters(seen, gmvae.n_components, seed=seed)
    initialize(gmvae, x, clusters, config, transform=transform)
