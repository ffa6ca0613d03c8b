"""Teach a model clusters that a simpler method has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from jaxtyping import Float, Num
from torch import Tensor

from pyro_gmvae.fitting.starts.teaching import teach_clusters
from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.labels import Labels
from pyro_gmvae.training import TrainConfig, Transform, fit
from pyro_gmvae.training.device import make_accelerator

__all__ = ["MIN_STEPS", "imitate"]

MIN_STEPS = 50  # enough for q(y|x) to take over a few well separated clusters
MIN_EPOCHS = 2


def imitate(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    clusters: Labels,
    config: TrainConfig,
    *,
    weights: Float[Tensor, " N"] | None = None,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    steps: int = MIN_STEPS,
) -> None:
    """Train ``gmvae`` in place for a short while as if ``clusters`` were known.

    First q(y|x) learns them by itself (see `teach_clusters`), then all networks train together. A
    training that follows is free to leave them.

    Args:
        gmvae: one of the four GMVAEs.
        x: data, as `pyro_gmvae.training.fit` takes them.
        clusters: a cluster for each datum, such as k-means gives, -1 where there is none; or
            responsibilities ``(N, K)``, such as a mixture gives.
        config: the settings of the training to come.
        weights, covariates, transform: as in `pyro_gmvae.training.fit`.
        steps: the least number of steps; two epochs are made if they have more.

    Raises:
        InputError: for clusters that do not fit the data and the model.

    >>> import torch
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(8,), likelihood="gaussian")
    >>> clusters = torch.arange(40) % 2
    >>> x = torch.stack([3.0 * clusters, -3.0 * clusters], -1)
    >>> imitate(gmvae, x, clusters, TrainConfig(seed=0), steps=1)
    >>> found = gmvae.responsibilities(x).argmax(-1)
    >>> torch.equal(found, clusters)
    True
    """
    steps_per_epoch = ceil(len(x) / config.batch_size)
    epochs = max(MIN_EPOCHS, ceil(steps / steps_per_epoch))
    unannealed = replace(
        config,
        epochs=epochs,
        max_steps=None,
        kl_annealing=Schedule(),
        z_kl_annealing=Schedule(),
        patience=None,
        compile=False,  # so short a training gains nothing by it
    )
    gmvae.to(make_accelerator(config.device or gmvae.model.component_loc.device.type).device)
    teach_clusters(gmvae, x, clusters, seed=config.seed or 0, weights=weights, transform=transform)
    fit(
        gmvae,
        x,
        unannealed,
        labels=clusters,
        weights=weights,
        covariates=covariates,
        transform=transform,
    )
