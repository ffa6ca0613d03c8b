"""All that a training begins with: the scale of the data, the model, the first clusters."""

from __future__ import annotations

from dataclasses import dataclass

from pyro_gmvae.data import Preprocessor, Splits, augmentation, preprocessing
from pyro_gmvae.data.transformations import Transformation
from pyro_gmvae.errors import InputError
from pyro_gmvae.models import GMVAE
from pyro_gmvae.tasks.build import make_config, make_model
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.training import (
    TrainConfig,
    best_start,
    fit,
    initialize,
    kmeans_clusters,
    make_regularizer,
)
from pyro_gmvae.training.device import make_accelerator

__all__ = ["Prepared", "prepare", "started", "train_splits"]

REGULARIZED_BY = 10_000  # rows that distances are measured between, at most


@dataclass(frozen=True)
class Prepared:
    """What settings and data amount to, before anything is trained.

    Attributes:
        preprocessor: from raw data to the model's scale.
        augment: of raw training batches, or None.
        gmvae: with its regulariser, if it gets one.
        config: of the training loop.
    """

    preprocessor: Preprocessor
    augment: Transformation | None
    gmvae: GMVAE
    config: TrainConfig


def prepare(settings: TrainSettings, splits: Splits) -> Prepared:
    """Everything that settings and data are refused for is refused here.

    Raises:
        InputError: for settings that do not fit the data.
    """
    train = splits.train
    preprocessor, likelihood = preprocessing(train, settings.likelihood, settings.binarize)
    augment = augmentation(train, settings.augment)
    regularizer = make_regularizer(
        settings.regularize,
        preprocessor.mean_input(train.x[:REGULARIZED_BY]),
        strength=settings.regularizer_strength,
        seed=settings.seed,
    )
    if regularizer is None and settings.initialization == "information":
        raise InputError(
            f"initialization by information needs a regulariser, and {train.name} gets none: name "
            "one by regularize, or begin by kmeans"
        )
    gmvae = make_model(settings, train, likelihood, regularizer)
    return Prepared(preprocessor, augment, gmvae, make_config(settings, gmvae))


def started(prepared: Prepared, settings: TrainSettings, splits: Splits) -> GMVAE:
    """The model that training goes on with: the one prepared, or the best of several like it."""
    gmvae, config, train = prepared.gmvae, prepared.config, splits.train
    transform = prepared.preprocessor
    kind = settings.initialization
    if kind == "auto":
        kind = "kmeans" if gmvae.regularizer is None else "information"
    if kind == "kmeans":
        seen = transform.mean_input(train.x.to(transform.scale.device))
        clusters = kmeans_clusters(seen, settings.clusters, seed=settings.seed)
        initialize(gmvae, train.x, clusters, config, transform=transform)
    if kind == "information":
        regularizer, likelihood = gmvae.regularizer, gmvae.options["likelihood"]
        return best_start(
            lambda seed: make_model(settings, train, likelihood, regularizer, seed=seed),
            range(settings.seed, settings.seed + settings.starts),
            train.x,
            config,
            epochs=settings.initialization_epochs,
            judged=splits.validation.x if len(splits.validation) else None,
            transform=transform,
        )
    return gmvae


def train_splits(settings: TrainSettings, splits: Splits) -> tuple[GMVAE, Preprocessor]:
    """Train in memory, as `train_run` does in a folder; the model and the scale it is on.

    Raises:
        InputError: for settings that do not fit the data.
        NonFiniteLossError: if the loss becomes NaN or infinite.
    """
    prepared = prepare(settings, splits)
    transform = prepared.preprocessor.to(make_accelerator(settings.device).device)
    gmvae = started(prepared, settings, splits)
    fit(
        gmvae,
        splits.train.x,
        prepared.config,
        validation=splits.validation.x if len(splits.validation) else None,
        transform=transform,
        augment=prepared.augment,
    )
    return gmvae, transform
