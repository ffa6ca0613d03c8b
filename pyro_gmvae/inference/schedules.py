"""Anneal a quantity (w_t, b_t or the temperature) during training."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Literal

from pyro_gmvae.ranges import MOST_ROUNDS, real, whole

__all__ = ["KLAnnealing", "Schedule"]


@dataclass(frozen=True)
class Schedule:
    """Move a quantity from ``start`` to ``end`` within ``duration``, then keep it.

    Args:
        shape: ``"constant"`` is ``end`` throughout; ``"linear"`` and ``"cosine"`` rise to ``end``
            once; ``"cyclical"`` does so ``cycles`` times, linearly in the first half of each cycle
            and constant at ``end`` in the second half.
        start, end: first and last value; positive.
        duration: length of the annealing, in ``unit``.
        unit: ``"epochs"`` or ``"steps"``.
        cycles: number of cycles of the cyclical shape.

    Raises:
        ValueError: for a value that is not positive (Pyro refuses a scale of zero; start at a
            small number instead), a number that is not finite, or an unknown word.

    Reference: Fu et al. 2019, Cyclical annealing schedule, arXiv 1903.10145, for the cyclical
    shape.

    >>> Schedule("linear", start=0.5, end=1.0, duration=10, unit="steps").at(5, 100)
    0.75
    """

    shape: Literal["constant", "linear", "cosine", "cyclical"] = "constant"
    start: float = 1.0
    end: float = 1.0
    duration: float = 0.0
    unit: Literal["epochs", "steps"] = "epochs"
    cycles: int = 4

    def __post_init__(self) -> None:
        if self.shape not in ("constant", "linear", "cosine", "cyclical"):
            raise ValueError(f"unknown schedule {self.shape!r}")
        if self.unit not in ("epochs", "steps"):
            raise ValueError(f'unit must be "epochs" or "steps", got {self.unit!r}')
        start, end = (real(name, getattr(self, name)) for name in ("start", "end"))
        if not (start > 0 and end > 0):
            raise ValueError(
                f"a schedule's values must be positive, got {self.start} to {self.end}; "
                "start at a small number such as 0.001 in place of 0"
            )
        real("duration", self.duration, least=0, most=MOST_ROUNDS)
        whole("cycles", self.cycles, least=1, most=MOST_ROUNDS)

    def end_step(self, steps_per_epoch: int) -> int:
        """Return the first step at which the annealing has ended."""
        if self.shape == "constant":
            return 0
        return round(self.duration * (steps_per_epoch if self.unit == "epochs" else 1))

    def at(self, step: int, steps_per_epoch: int) -> float:
        """Return the value at ``step``, counted from 0."""
        length = self.end_step(steps_per_epoch)
        if step >= length:
            return self.end
        progress = step / length
        if self.shape == "cyclical":
            progress = min(1.0, 2 * ((progress * self.cycles) % 1.0))
        elif self.shape == "cosine":
            progress = (1 - cos(pi * progress)) / 2
        return self.start + (self.end - self.start) * progress


@dataclass(frozen=True)
class KLAnnealing(Schedule):
    """Anneal w_t, the weight of KL(q(y|x) || p(y)), from nearly 0 to 1, so that clusters form.

    Args:
        shape, start, end, duration, unit, cycles: as in `Schedule`; the defaults are a linear rise
            from 0.001 to 1 within 10 epochs.

    >>> round(KLAnnealing(duration=2).at(step=100, steps_per_epoch=100), 4)
    0.5005
    """

    shape: Literal["constant", "linear", "cosine", "cyclical"] = "linear"
    start: float = 1e-3
    end: float = 1.0
    duration: float = 10.0
