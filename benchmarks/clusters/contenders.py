"""List the methods that the benchmark ``clusters`` compares, and train each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import cluster_usage
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.sklearn_fits import kmeans, mixture
from pyro_gmvae.fitting.train import train
from pyro_gmvae.models import METHODS

__all__ = ["CONTENDERS", "Found", "contend"]


@dataclass(frozen=True)
class Found:
    """Hold what a trained contender says about data.

    Attributes:
        clusters: maps data to the cluster of each row.
        log_likelihood: maps data and a number of importance samples to the mean log p(x) in nats
            and its standard error, if the contender has a density of its own.
        information: maps data to I(x;y) in nats, if the contender gives q(y|x).
    """

    clusters: Callable[[Dataset], Int64[Tensor, " N"]]
    log_likelihood: Callable[[Dataset, int], tuple[float, float]] | None = None
    information: Callable[[Dataset], float] | None = None


def ours(method: str, regularize: str, settings: Settings, splits: Splits) -> Found:
    """Train this package's model by the defaults of `pyro-gmvae train`."""
    fitted = trained(settings.with_(method=method, regularize=regularize), splits)

    @cache
    def responsibilities(data: Dataset) -> Tensor:
        return fitted.responsibilities(data.x)

    def clusters(data: Dataset) -> Tensor:
        return responsibilities(data).argmax(-1)

    def likelihood(data: Dataset, samples: int) -> tuple[float, float]:
        found = fitted.log_likelihood(data.x, num_samples=samples)
        return found.mean, found.standard_error

    def information(data: Dataset) -> float:
        return cluster_usage(responsibilities(data)).mutual_information

    return Found(clusters, likelihood, information)


def of_pixels(kind: str, settings: Settings, splits: Splits) -> Found:
    """Fit k-means or a Gaussian mixture to the pixels."""
    fitted = classical(kind, settings, flat(splits.train))
    return Found(lambda data: torch.from_numpy(fitted.predict(flat(data))).long())


def of_latent(kind: str, settings: Settings, splits: Splits) -> Found:
    """Fit k-means or a mixture in the latent space of a VAE, which is a GMVAE of one cluster."""
    vae = trained(
        settings.with_(method="marginal", clusters=1, regularize="none", initialization="random"),
        splits,
    )

    def latent(data: Dataset) -> Any:
        return vae.embed(data.x).double().numpy()

    fitted = classical(kind, settings, latent(splits.train))
    return Found(lambda data: torch.from_numpy(fitted.predict(latent(data))).long())


def trained(settings: Settings, splits: Splits) -> FittedModel:
    """Train in memory; the model is on the device that it was trained on."""
    planned = plan(settings, splits)
    return train(planned).to(planned.config.device or "cpu")


def classical(kind: str, settings: Settings, x: Any) -> Any:
    """Fit k-means or a Gaussian mixture to points ``(N, D)``."""
    if kind == "kmeans":
        return kmeans(x, settings.model.clusters, seed=settings.training.seed, n_init=10)
    return mixture(x, settings.model.clusters, seed=settings.training.seed, n_init=1)


def flat(data: Dataset) -> Any:
    """Return the rows as an array ``(N, D)`` on model scale."""
    encoding = data.kind.fit(data, "unit_interval", likelihood="continuous_bernoulli")
    return encoding(data.x).flatten(1).double().numpy()


def clustpy(kind: str, settings: Settings, splits: Splits, *, clusters_too: bool = True) -> Found:
    """Train ClustPy's deep clustering with its default layers, or its first phase alone."""
    try:
        from clustpy import deep
    except ImportError as error:
        raise InputError(
            f'{kind} needs ClustPy: pip install -e ".[peers]", best in an environment of its own'
        ) from error

    fitted = getattr(deep, kind)(
        n_clusters=settings.model.clusters,
        pretrain_epochs=settings.training.epochs,
        clustering_epochs=settings.training.epochs if clusters_too else 0,
        random_state=settings.training.seed,
    ).fit(flat(splits.train).astype("float32"))

    def clusters(data: Dataset) -> Tensor:
        return torch.from_numpy(fitted.predict(flat(data).astype("float32"))).long()

    return Found(clusters)


Contender = Callable[[Settings, Splits], Found]
CONTENDERS: dict[str, Contender] = {
    **{method: partial(ours, method, "auto") for method in METHODS},
    **{f"{method}-elbo": partial(ours, method, "none") for method in METHODS},
    **{kind: partial(of_pixels, kind) for kind in ("kmeans", "gmm")},
    **{f"vae-{kind}": partial(of_latent, kind) for kind in ("kmeans", "gmm")},
    # The first phase of DEC is k-means of the codes of a pretrained autoencoder.
    "ae-kmeans": partial(clustpy, "DEC", clusters_too=False),
    **{f"clustpy-{kind.lower()}": partial(clustpy, kind) for kind in ("VaDE", "DEC")},
}


def contend(name: str, settings: Settings, splits: Splits) -> Found:
    """Train the contender of this name."""
    return CONTENDERS[name](settings, splits)
