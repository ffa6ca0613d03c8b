"""Set the weights of the objective, which change during a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import ObjectiveWeights

__all__ = ["Annealing", "put_back"]


class Annealing:
    """Set w_t, b_t, tau and the weight of the penalties at each step.

    Args:
        weights: the weights of a model's objective.
        schedules: schedules of some weights, by name; the others stay as they are.
        steps_per_epoch: steps in an epoch, for schedules that count epochs.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> weights = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).weights
    >>> rising = Schedule("linear", start=0.5, end=1.0, duration=10)  # epochs
    >>> annealing = Annealing(weights, {"kl_weight": rising}, steps_per_epoch=20)
    >>> annealing.at(100)
    >>> weights.values()["kl_weight"]
    0.75
    """

    def __init__(
        self, weights: ObjectiveWeights, schedules: dict[str, Schedule], steps_per_epoch: int
    ) -> None:
        self.weights = weights
        self.schedules = schedules
        self.steps_per_epoch = steps_per_epoch
        self._set: dict[str, float] = {}

    def at(self, step: int) -> None:
        """Set the weights for ``step``; a weight that stays as it is costs nothing."""
        now = {n: s.at(step, self.steps_per_epoch) for n, s in self.schedules.items()}
        self.weights.set(**{n: value for n, value in now.items() if self._set.get(n) != value})
        self._set = now


@contextmanager
def put_back(weights: ObjectiveWeights) -> Iterator[None]:
    """Restore the weights at the end, so that a saved model has none of a training's.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> weights = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).weights
    >>> with put_back(weights):
    ...     weights.set(kl_weight=0.5)
    >>> weights.values()["kl_weight"]
    1.0
    """
    before = weights.values()
    try:
        yield
    finally:
        weights.set(**before)
