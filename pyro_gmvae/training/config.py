"""Configure the training loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, pi
from typing import Literal

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.ranges import (
    MOST_CLUSTERS,
    MOST_DRAWS,
    MOST_ROUNDS,
    MOST_ROWS,
    SEEDS,
    real,
    shown,
    whole,
)

__all__ = ["TrainConfig"]

# The largest value of each number of things.
_MOST = {
    "epochs": MOST_ROUNDS,
    "max_steps": MOST_ROUNDS,
    "batch_size": MOST_ROWS,
    "num_particles": MOST_DRAWS,
    "patience": MOST_ROUNDS,
    "chunk_size": MOST_CLUSTERS,
    "max_plate_nesting": 100,
}
_NEEDED = ("epochs", "batch_size", "num_particles", "max_plate_nesting")  # None stands for nothing


@dataclass(frozen=True)
class TrainConfig:
    """Tell `pyro_gmvae.training.fit` how to train.

    All fields are plain values; `pyro_gmvae.fitting.plan` chooses them by the data and the machine.

    Args:
        epochs: passes over the data, at most.
        max_steps: gradient steps, at most; None leaves it to ``epochs``.
        batch_size: data per step, over all processes.
        learning_rate: the learning rate of Adam.
        learning_rate_schedule: ``"constant"``, or ``"cosine"`` down to almost zero at the
            last step.
        clip_norm: the norm that the gradient is clipped to; None does not clip.
        kl_annealing: w_t, the weight of KL(q(y|x) || p(y)).
        z_kl_annealing: b_t, the weight of KL(q(z|x,y) || p(z|y)).
        temperature: tau of the Concrete method; None keeps the model's own.
        regularizer_annealing: the weight of a model's `Regularizer`, if it has one.
        num_particles: draws per datum and step.
        patience: epochs without a better held-out ELBO before training stops, counted once
            annealing has ended; None never stops early. Needs validation data.
        keep_best: end with the weights of the best held-out ELBO since annealing ended.
        seed: the seed of the order of the data and of every draw; None takes the global generators
            as they are.
        device: ``"cpu"`` or ``"cuda"``; None takes the device of the model.
        checkpoint_seconds: least time between two checkpoints, in seconds.
        compile: whether to trace the ELBO and its gradient into one graph and compile it. If that
            is impossible, True raises a `pyro_gmvae.inference.CaptureError`, and ``"try"`` warns
            and continues without compilation.
        record: whether to record a step as a CUDA graph where there is one GPU and one process.
        precision: the precision of the networks, ``"float32"`` or ``"bfloat16"``; distributions, KL
            divergences and sums are in float32 in any case.
        chunk_size: clusters that the exact method sums at a time; None takes all.
        max_plate_nesting: depth of plates in model and guide; 1 unless a subclass adds some.

    Raises:
        ValueError: for a value out of range, naming it.

    >>> TrainConfig(epochs=3).total_steps(steps_per_epoch=10)
    30
    """

    epochs: int = 100
    max_steps: int | None = None
    batch_size: int = 256
    learning_rate: float = 1e-3
    learning_rate_schedule: Literal["constant", "cosine"] = "constant"
    clip_norm: float | None = 100.0
    kl_annealing: Schedule = field(default_factory=KLAnnealing)
    z_kl_annealing: Schedule = field(default_factory=Schedule)
    temperature: Schedule | None = None
    regularizer_annealing: Schedule = field(default_factory=Schedule)
    num_particles: int = 1
    patience: int | None = 20
    keep_best: bool = True
    seed: int | None = 0
    device: Literal["cpu", "cuda"] | None = None
    checkpoint_seconds: float = 30.0
    compile: Literal["try"] | bool = False
    record: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"
    chunk_size: int | None = None
    max_plate_nesting: int = 1

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is not None or name in _NEEDED:
                whole(name, value, least=1, most=most)
        real("learning_rate", self.learning_rate, above=0)
        if self.clip_norm is not None:
            real("clip_norm", self.clip_norm, above=0)
        real("checkpoint_seconds", self.checkpoint_seconds, least=0)
        if self.seed is not None:
            whole("seed", self.seed, least=0, below=SEEDS)
        for name in ("kl_annealing", "z_kl_annealing", "temperature", "regularizer_annealing"):
            value = getattr(self, name)
            if not isinstance(value, Schedule) and (value is not None or name != "temperature"):
                raise InputError(f"{name} must be a Schedule, got {shown(value)}")
        if self.compile not in ("try", True, False):
            raise ValueError(f'compile must be "try", True or False, got {self.compile!r}')
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"unknown precision {self.precision!r}: use float32 or bfloat16")
        if self.learning_rate_schedule not in ("constant", "cosine"):
            raise ValueError(
                f"unknown learning_rate_schedule {self.learning_rate_schedule!r}: use constant or "
                "cosine"
            )

    def total_steps(self, steps_per_epoch: int) -> int:
        """Count the gradient steps of a training, at most."""
        steps = self.epochs * steps_per_epoch
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def learning_rate_at(self, step: int, total_steps: int) -> float:
        """Return the learning rate at ``step`` of ``total_steps``, counted from 0."""
        if self.learning_rate_schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 + cos(pi * step / total_steps)) / 2

    def annealing_ends(self, steps_per_epoch: int) -> int:
        """Return the first step at which every annealing has ended."""
        return max(s.end_step(steps_per_epoch) for s in self.schedules().values())

    def schedules(self) -> dict[str, Schedule]:
        """Return the schedules of a model's `ObjectiveWeights`; the others stay as they are."""
        moving = {
            "kl_weight": self.kl_annealing,
            "z_kl_weight": self.z_kl_annealing,
            "temperature": self.temperature,
            "regularizer_weight": self.regularizer_annealing,
        }
        return {name: schedule for name, schedule in moving.items() if schedule is not None}
