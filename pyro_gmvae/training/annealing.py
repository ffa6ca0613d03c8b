"""The weights of the objective, which move while a training lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import ObjectiveWeights

__all__ = ["Annealing", "put_back"]


class Annealing:
    """Sets w_t, b_t, tau and the weight of the penalties.

    Args:
        weights: a model's.
        schedules: of some of them, by name; the others stay as they are.
        steps_per_epoch: what a schedule's epochs are long.
    """

    def __init__(
        self, weights: ObjectiveWeights, schedules: dict[str, Schedule], steps_per_epoch: int
    ) -> None:
        self.weights = weights
        self.schedules = schedules
        self.steps_per_epoch = steps_per_epoch
        self._set: dict[str, float] = {}

    def at(self, step: int) -> None:
        """For ``step``; a weight that stays as it is costs nothing."""
        now = {n: s.at(step, self.steps_per_epoch) for n, s in self.schedules.items()}
        self.weights.set(**{n: value for n, value in now.items() if self._set.get(n) != value})
        self._set = now


@contextmanager
def put_back(weights: ObjectiveWeights) -> Iterator[None]:
    """What a training sets for its own ends it undoes: a saved model has none of it."""
    before = weights.values()
    try:
        yield
    finally:
        weights.set(**before)
