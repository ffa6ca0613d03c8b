"""Start a model near a k-means clustering of its data."""

from __future__ import annotations

from torch import Tensor

from pyro_gmvae.data import Encoding
from pyro_gmvae.fitting.starts.imitation import imitate
from pyro_gmvae.fitting.starts.raw_data import kmeans_clusters
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training import TrainConfig

__all__ = ["start_near_kmeans"]


def start_near_kmeans(
    gmvae: GMVAE,
    x: Tensor,
    config: TrainConfig,
    *,
    seed: int,
    transform: Encoding | None = None,
) -> None:
    """Cluster ``x`` by k-means, and let the model learn these clusters.

    Args:
        gmvae: the model, which is changed.
        x: the training rows, shape ``(N, *event)``.
        config: the settings of the training that follows.
        seed: the seed of k-means.
        transform: the map from rows to the model's input; k-means sees what it gives without a
            random draw. None: ``x`` is the input.
    """
    seen = x if transform is None else transform.encode_mean(x.to(config.device))
    clusters = kmeans_clusters(seen, gmvae.n_components, seed=seed)
    imitate(gmvae, x, clusters, config, transform=transform)
