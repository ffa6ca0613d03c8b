"""From settings and data to a model and its training configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.models import GMVAE, Regularizer, from_config
from pyro_gmvae.models.labels import LABEL_WEIGHT
from pyro_gmvae.networks import ConvSizes
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.training import TrainConfig, defaults

__all__ = ["make_config", "make_model"]

BATCH = 128


def make_model(
    settings: TrainSettings,
    train: Dataset,
    likelihood: str,
    regularizer: Regularizer | None = None,
    *,
    seed: int | None = None,
) -> GMVAE:
    """A freshly initialised model; its weights depend on the seed alone.

    Args:
        settings: of the training.
        train: its data.
        likelihood: of the data, by name.
        regularizer: what it is trained with beside the ELBO.
        seed: instead of that of the settings.

    Raises:
        InputError: for more clusters than training rows, a conv network for what are no images, or
            sizes the model refuses.
    """
    if settings.clusters > len(train):
        raise InputError(
            f"{settings.clusters} clusters are more than the {len(train)} training rows of "
            f"{train.name}: use fewer clusters, or more data"
        )
    cluster_network = None if settings.cluster_network == "auto" else settings.cluster_network
    regularized_image = regularizer is not None and len(train.event_shape) == 3
    if settings.cluster_network == "auto" and regularized_image and not settings.shared_trunk:
        cluster_network = "conv"  # it finds what images show; see docs/clusters.md
    if "conv" in (settings.network, cluster_network) and len(train.event_shape) != 3:
        raise InputError(f"the conv network is for images, not for {train.name}: use network mlp")
    options: dict[str, Any] = {}
    if settings.method == "concrete" and settings.temperature is not None:
        options["temperature"] = settings.temperature
    if settings.method == "sparse":
        share = settings.drawn_share or defaults.drawn_share(regularizer is not None)
        options["drawn_share"] = share
        if settings.n_likeliest is not None:
            options["n_likeliest"] = settings.n_likeliest
    with forked_rng(seed=settings.seed if seed is None else seed), _refused():
        if settings.channels is not None:
            sizes = ConvSizes.for_images(*train.event_shape[1:], channels=settings.channels)
            options["conv"] = sizes.to_config()
        gmvae = from_config(
            {
                "method": settings.method,
                "input_dim": train.event_shape,
                "n_components": settings.clusters,
                "latent_dim": settings.latent_dim,
                "hidden": settings.hidden,
                "network": settings.network,
                "cluster_network": cluster_network,
                "likelihood": likelihood,
                "shared_trunk": settings.shared_trunk,
                "learn_mixture": settings.learn_mixture,
                **({} if train.given is None else {"label_weight": LABEL_WEIGHT}),
                **options,
            }
        )
    gmvae.regularize(regularizer)
    return gmvae


def make_config(settings: TrainSettings, gmvae: GMVAE, *, start: str, n_rows: int) -> TrainConfig:
    """What the training loop is told, for so many rows and a training that begins by ``start``.

    Raises:
        InputError: for a value that it refuses.
    """
    temperature, duration, shape = None, settings.annealing_epochs, gmvae.event_shape
    if settings.temperature_end is not None:
        temperature = Schedule(
            "linear",
            start=gmvae.options["temperature"],
            end=settings.temperature_end,
            duration=KLAnnealing.duration if duration is None else duration,
        )
    if duration is None:
        duration = defaults.annealing_epochs(start, shape)
    with _refused():
        return TrainConfig(
            epochs=settings.epochs,
            batch_size=settings.batch_size or defaults.batch_size(BATCH, n_rows, shape),
            learning_rate=settings.learning_rate or defaults.learning_rate(shape),
            learning_rate_schedule=settings.learning_rate_schedule,
            kl_annealing=KLAnnealing(settings.kl_annealing, duration=duration),
            z_kl_annealing=KLAnnealing(duration=settings.style_annealing_epochs),
            temperature=temperature,
            patience=settings.patience,
            seed=settings.seed,
            device=settings.device,
            compile="auto" if settings.compile == "auto" else settings.compile == "on",
            precision=settings.precision,
            chunk_size=settings.chunk_size or "auto",
        )


@contextmanager
def _refused() -> Iterator[None]:
    """A constructor's refusal is about what the user asked for."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error
