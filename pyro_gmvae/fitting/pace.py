"""Decide how long a training is, and the settings of its loop."""

from __future__ import annotations

from typing import NamedTuple

from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.case import Case, as_input_error
from pyro_gmvae.fitting.groups import ConcreteSettings
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.training import TrainConfig

__all__ = ["Pace", "train_config"]


class Pace(NamedTuple):
    """Hold how long a training is.

    Attributes:
        batch_size: rows in a step.
        epochs: passes over the training rows, at most.
        max_steps: steps after which the training ends within a pass; None ends it with a pass.
        total_steps: steps in all, at most.

    >>> from pyro_gmvae.data import load_splits
    >>> settings = Settings.of("digits", epochs=5)
    >>> Pace.of(Case.of(settings, load_splits("digits", seed=0), None))
    Pace(batch_size=128, epochs=5, max_steps=None, total_steps=60)
    """

    batch_size: int
    epochs: int
    max_steps: int | None
    total_steps: int

    @classmethod
    def of(cls, case: Case) -> Pace:
        """Decide by the number of rows, where the settings leave it open."""
        said, n_rows = case.settings.training, case.splits.n_trained
        batch_size = defaults.batch_size(said.batch_size, case.usual, n_rows)
        epochs = defaults.epochs(said.epochs, case.usual, n_rows, batch_size)
        max_steps = defaults.max_steps(said.epochs, case.usual)
        total_steps = defaults.total_steps(epochs, n_rows, batch_size, max_steps)
        return cls(batch_size, epochs, max_steps, total_steps)


def train_config(case: Case, pace: Pace, start: str, *, trainings: int) -> TrainConfig:
    """Return the settings of the training loop, except the chunk size, which needs a model.

    Args:
        case: what the decisions are made from.
        pace: how long the training is.
        start: how the training begins.
        trainings: how many trainings there are with each seed. Their steps count together where
            it is decided whether compilation pays.

    Raises:
        InputError: for settings that do not fit one another.

    >>> from pyro_gmvae.data import load_splits
    >>> case = Case.of(Settings.of("digits", epochs=5), load_splits("digits", seed=0), None)
    >>> config = train_config(case, Pace.of(case), "random", trainings=1)
    >>> config.epochs, config.compile
    (5, False)
    """
    said, hardware = case.settings.training, case.settings.hardware
    schedule = defaults.learning_rate_schedule(said.learning_rate_schedule, case.usual)
    with as_input_error():
        return TrainConfig(
            epochs=pace.epochs,
            batch_size=pace.batch_size,
            max_steps=pace.max_steps,
            learning_rate=defaults.learning_rate(said.learning_rate, case.usual),
            learning_rate_schedule=schedule,
            kl_annealing=KLAnnealing(
                said.annealing,  # type: ignore[arg-type]
                duration=defaults.annealing_epochs(said.annealing_epochs, start, case.usual),
            ),
            z_kl_annealing=KLAnnealing(duration=said.style_annealing_epochs),
            temperature=_temperature(case.settings),
            patience=defaults.patience(said.patience, schedule),
            seed=said.seed,
            checkpoint_seconds=said.checkpoint_seconds,
            device=case.device,
            compile=defaults.compiled(hardware.compile, case.device, trainings * pace.total_steps),
            record=hardware.compile != "off",
            precision=defaults.precision(hardware.precision, case.device, case.usual),
        )


def _temperature(settings: Settings) -> Schedule | None:
    model, duration = settings.model, settings.training.annealing_epochs
    if not isinstance(model, ConcreteSettings) or model.temperature_end is None:
        return None
    return Schedule(
        "linear",
        start=model.temperature,
        end=model.temperature_end,
        duration=KLAnnealing.duration if duration is None else duration,
    )
