"""What a training may be told."""

from __future__ import annotations

import math

import pytest

from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.training import TrainConfig


@pytest.mark.parametrize("name", ["epochs", "max_steps", "batch_size", "num_particles", "patience"])
def test_counts_are_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        TrainConfig(**{name: 0})
    assert getattr(TrainConfig(**{name: 1}), name) == 1


@pytest.mark.parametrize("name", ["learning_rate", "clip_norm"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_rates_are_positive(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be (above 0|a number)"):
        TrainConfig(**{name: value})


def test_unknown_learning_rate_schedule() -> None:
    with pytest.raises(ValueError, match="unknown learning_rate_schedule 'step'"):
        TrainConfig(learning_rate_schedule="step")


def test_annealing_has_ended_when_the_last_of_them_has() -> None:
    def ends(**schedules: Schedule) -> int:
        return TrainConfig(**schedules).annealing_ends(steps_per_epoch=7)

    assert ends() == 70
    assert ends(kl_annealing=Schedule()) == 0
    assert ends(kl_annealing=KLAnnealing(duration=3, unit="steps")) == 3
    assert ends(temperature=Schedule("cosine", duration=20)) == 140
    assert ends(z_kl_annealing=Schedule("cyclical", duration=11)) == 77


def test_cosine_learning_rate() -> None:
    config = TrainConfig(learning_rate=0.2, learning_rate_schedule="cosine")
    rates = [config.learning_rate_at(step, 100) for step in range(101)]
    assert rates[0] == 0.2
    assert rates[50] == pytest.approx(0.1)
    assert rates[100] == pytest.approx(0.0, abs=1e-12)
