"""Where a training begins: near a clustering found by something simpler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor

from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.loop import Transform, fit

__all__ = ["initialize", "kmeans_clusters"]

MIN_STEPS = 50  # enough for q(y|x) to take over a few well separated clusters
MIN_EPOCHS = 2
N_KMEANS = 10_000  # data that k-means looks at; it then places the others


def initialize(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    clusters: Int64[Tensor, " N"],
    config: TrainConfig,
    *,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
) -> None:
    """Train ``gmvae`` in place for a short while as if ``clusters`` were known.

    A training that follows is free to leave them.

    Args:
        gmvae: one of the four GMVAEs.
        x: data, as `pyro_gmvae.training.fit` takes them.
        clusters: a cluster for each datum, such as k-means gives; -1 where there is none.
        config: the settings of the training to come.
        covariates, transform: as in `pyro_gmvae.training.fit`.
    """
    steps_per_epoch = ceil(len(x) / config.batch_size)
    epochs = max(MIN_EPOCHS, ceil(MIN_STEPS / steps_per_epoch))
    unannealed = replace(
        config,
        epochs=epochs,
        max_steps=None,
        kl_annealing=Schedule(),
        z_kl_annealing=Schedule(),
        patience=None,
        compile=False,  # it is over before that would pay
    )
    fit(gmvae, x, unannealed, y=clusters, covariates=covariates, transform=transform)


def kmeans_clusters(
    x: Float[Tensor, "N *event"], n_clusters: int, *, seed: int
) -> Int64[Tensor, " N"]:
    """The k-means cluster of each datum, as a start for `initialize`.

    Args:
        x: data on model scale.
        n_clusters: K; with fewer data than that, each gets a cluster of its own.
        seed: of the centres to begin with and of the data that are looked at.
    """
    from sklearn.cluster import KMeans

    flat = x.flatten(1).cpu().numpy()
    order = torch.randperm(len(flat), generator=torch.Generator().manual_seed(seed))
    kmeans = KMeans(min(n_clusters, len(flat)), n_init=5, random_state=seed % 2**32)
    kmeans.fit(flat[order[:N_KMEANS].numpy()])
    return torch.from_numpy(kmeans.predict(flat)).long()
