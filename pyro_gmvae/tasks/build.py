"""From settings and data to a model, its preprocessing and its training configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pyro_gmvae.data import Dataset, Preprocessor
from pyro_gmvae.data.preprocessing import Binarize
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.models import GMVAE, from_config
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.training import TrainConfig

__all__ = ["make_config", "make_model", "make_preprocessor"]


def make_preprocessor(settings: TrainSettings, train: Dataset) -> Preprocessor:
    """Images to [0, 1] and binarised if the likelihood is Bernoulli; tables standardised.

    A table under a likelihood for numbers in [0, 1] is left as it is.

    Raises:
        InputError: if the likelihood cannot be that of these data.
    """
    likelihood = _likelihood(settings, train)
    if train.kind == "image":
        return Preprocessor.for_images(train.event_shape, _binarize(settings, likelihood))
    if settings.binarize not in ("auto", "none"):
        raise InputError(f"{train.name} is a table: only images are binarised, leave binarize out")
    if likelihood.startswith("gaussian"):
        return Preprocessor.standardize(train.x)
    if likelihood == "bernoulli" and not ((train.x == 0) | (train.x == 1)).all():
        raise InputError(
            f"the bernoulli likelihood is for zeros and ones, {train.name} holds other numbers: "
            "use likelihood gaussian"
        )
    if ((train.x < 0) | (train.x > 1)).any():
        raise InputError(
            f"the continuous_bernoulli likelihood is for numbers from 0 to 1, {train.name} holds "
            "others: use likelihood gaussian"
        )
    return Preprocessor.identity(train.event_shape)


def _likelihood(settings: TrainSettings, train: Dataset) -> str:
    if settings.likelihood != "auto":
        return settings.likelihood
    return "bernoulli" if train.kind == "image" else "gaussian"


def _binarize(settings: TrainSettings, likelihood: str) -> Binarize:
    if settings.binarize == "auto":
        return "dynamic" if likelihood == "bernoulli" else "none"
    if likelihood == "bernoulli" and settings.binarize == "none":
        raise InputError(
            "the bernoulli likelihood is for black and white pixels: use binarize dynamic or "
            "static, or likelihood continuous_bernoulli for grey levels"
        )
    if likelihood != "bernoulli" and settings.binarize != "none":
        raise InputError(
            f"the {likelihood} likelihood is for grey levels: use binarize none, or likelihood "
            "bernoulli"
        )
    return settings.binarize


def make_model(settings: TrainSettings, train: Dataset) -> GMVAE:
    """A freshly initialised model; its weights depend on the seed alone.

    Raises:
        InputError: for more clusters than training rows, or sizes the model refuses.
    """
    if settings.clusters > len(train):
        raise InputError(
            f"{settings.clusters} clusters are more than the {len(train)} training rows of "
            f"{train.name}: use fewer clusters, or more data"
        )
    options: dict[str, Any] = {}
    if settings.method == "concrete" and settings.temperature is not None:
        options["temperature"] = settings.temperature
    if settings.method == "sparse" and settings.n_likeliest is not None:
        options["n_likeliest"] = settings.n_likeliest
    with torch.random.fork_rng(devices=[]), _refused():
        torch.default_generator.manual_seed(settings.seed)
        return from_config(
            {
                "method": settings.method,
                "input_dim": train.event_shape,
                "n_components": settings.clusters,
                "latent_dim": settings.latent_dim,
                "hidden": settings.hidden,
                "likelihood": _likelihood(settings, train),
                "shared_trunk": settings.shared_trunk,
                "learn_mixture": settings.learn_mixture,
                **options,
            }
        )


def make_config(settings: TrainSettings, gmvae: GMVAE) -> TrainConfig:
    """What the training loop is told.

    Raises:
        InputError: for a value that it refuses.
    """
    temperature = None
    if settings.temperature_end is not None:
        temperature = Schedule(
            "linear",
            start=gmvae.options["temperature"],
            end=settings.temperature_end,
            duration=settings.annealing_epochs,
        )
    with _refused():
        return TrainConfig(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            kl_annealing=KLAnnealing(settings.kl_annealing, duration=settings.annealing_epochs),
            temperature=temperature,
            patience=settings.patience,
            seed=settings.seed,
            device=settings.device,
        )


@contextmanager
def _refused() -> Iterator[None]:
    """A constructor's refusal is about what the user asked for."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error
