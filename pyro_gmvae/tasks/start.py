"""All that a training begins with: the scale of the data, the model, the first clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from pyro_gmvae.data import Dataset, Preprocessor, Splits, augmentation, preprocessing
from pyro_gmvae.data.transformations import Transformation
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import number_as
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.labels import check_labels
from pyro_gmvae.models.must_link import check_groups
from pyro_gmvae.tasks.build import make_config, make_model
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.training import (
    CLUSTERINGS,
    Reporter,
    Rows,
    TrainConfig,
    TrainResult,
    begin_near,
    best_start,
    fit,
    make_regularizer,
    start_by,
)
from pyro_gmvae.training.defaults import start_steps
from pyro_gmvae.training.device import make_accelerator

__all__ = ["Prepared", "fitted", "prepare", "rows_to_start", "started", "train_splits"]

FEW_ROWS, FEW_STARTS = 5_000, 3  # a start of so few is short


@dataclass(frozen=True)
class Prepared:
    """What settings and data amount to, before anything is trained.

    Attributes:
        preprocessor: from raw data to the model's scale.
        augment: of raw training batches, or None.
        gmvae: with its regulariser, if it gets one.
        config: of the training loop.
        start: what it begins by, as of `pyro_gmvae.training.start_by`.
        start_steps: for which it learns the clusters that it begins near.
    """

    preprocessor: Preprocessor
    augment: Transformation | None
    gmvae: GMVAE
    config: TrainConfig
    start: str
    start_steps: int


def prepare(settings: TrainSettings, splits: Splits) -> Prepared:
    """Everything that settings and data are refused for is refused here.

    Raises:
        InputError: for settings that do not fit the data.
    """
    train = splits.train
    _check_known(train, settings.clusters)
    preprocessor, likelihood = preprocessing(train, settings.likelihood, settings.binarize)
    augment = augmentation(train, settings.augment)
    regularizer = make_regularizer(
        settings.regularize,
        train.x,
        look=preprocessor.mean_input,
        strength=settings.regularizer_strength,
        seed=settings.seed,
    )
    start = start_by(settings.initialization, regularizer, likelihood, train.event_shape)
    gmvae = make_model(settings, train, likelihood, regularizer)
    config = make_config(settings, gmvae, start=start, n_rows=len(train))
    steps = start_steps(train, config)
    return Prepared(preprocessor, augment, gmvae, config, start, steps)


def _check_known(train: Dataset, n_clusters: int) -> None:
    if train.given is not None:
        check_labels(train.given, n_clusters)
        if not (train.given >= 0).any():
            raise InputError(
                "every row with a label is held out: label more rows, or hold out fewer"
            )
    if train.groups is not None:
        check_groups(train.groups, len(train))


def started(
    prepared: Prepared,
    settings: TrainSettings,
    splits: Splits,
    reporters: Sequence[Reporter] = (),
) -> GMVAE:
    """The model that training goes on with: the one prepared, or the best of several like it.

    With labels its clusters are numbered as these are.
    """
    gmvae = _with_clusters(prepared, settings, splits, reporters)
    train = splits.train
    if train.given is not None:
        preprocessor = prepared.preprocessor
        gmvae.to(preprocessor.scale.device)
        number_as(train.given, gmvae, train.x, transform=preprocessor.mean_input)
    return gmvae


def _with_clusters(
    prepared: Prepared, settings: TrainSettings, splits: Splits, reporters: Sequence[Reporter]
) -> GMVAE:
    gmvae, config, train = prepared.gmvae, prepared.config, splits.train
    transform = prepared.preprocessor
    if prepared.start in CLUSTERINGS:
        rows = rows_to_start(prepared, settings, splits, reporters)
        begin_near(prepared.start, rows, steps=prepared.start_steps)
    if prepared.start == "information":
        regularizer, likelihood = gmvae.regularizer, gmvae.options["likelihood"]
        return best_start(
            lambda seed: make_model(settings, train, likelihood, regularizer, seed=seed),
            start_seeds(settings.seed, settings.starts, len(train)),
            train.x,
            config,
            epochs=settings.initialization_epochs,
            groups=train.groups,
            judged=splits.validation.x if len(splits.validation) else None,
            transform=transform,
            reporters=reporters,
        )
    return gmvae


def rows_to_start(
    prepared: Prepared, settings: TrainSettings, splits: Splits, reporters: Sequence[Reporter] = ()
) -> Rows:
    """What a start near a clustering is given."""
    return Rows(
        prepared.gmvae,
        splits.train.x,
        prepared.config,
        transform=prepared.preprocessor,
        look=prepared.preprocessor.mean_input,
        epochs=settings.initialization_epochs,
        reporters=reporters,
    )


def start_seeds(seed: int, starts: int | None, n_rows: int) -> list[int]:
    """Of a training's starts: its own, and others that no other training is likely to have."""
    n = starts or (FEW_STARTS if n_rows < FEW_ROWS else 1)
    others = torch.randint(2**62, (n - 1,), generator=torch.Generator().manual_seed(seed))
    return [seed, *others.tolist()]


def fitted(prepared: Prepared, gmvae: GMVAE, splits: Splits, **more: Any) -> TrainResult:
    """Train ``gmvae`` on the splits as prepared; ``more`` are arguments of `fit`."""
    return fit(
        gmvae,
        splits.train.x,
        prepared.config,
        y=splits.train.given,
        groups=splits.train.groups,
        validation=splits.validation.x if len(splits.validation) else None,
        transform=prepared.preprocessor,
        augment=prepared.augment,
        **more,
    )


def train_splits(
    settings: TrainSettings,
    splits: Splits,
    reporters: Sequence[Reporter] = (),
    *,
    steps: int | None = None,
) -> tuple[GMVAE, Preprocessor]:
    """Train in memory, as `train_run` does in a folder; the model and the scale it is on.

    Args:
        settings, splits, reporters: as of `train_run`.
        steps: for which it learns the clusters that it begins near; None leaves it to the data.

    Raises:
        InputError: for settings that do not fit the data.
        NonFiniteLossError: if the loss becomes NaN or infinite.
    """
    prepared = prepare(settings, splits)
    if steps is not None:
        prepared = replace(prepared, start_steps=steps)
    prepared.preprocessor.to(make_accelerator(settings.device).device)
    gmvae = started(prepared, settings, splits, reporters)
    fitted(prepared, gmvae, splits, reporters=reporters)
    return gmvae, prepared.preprocessor
