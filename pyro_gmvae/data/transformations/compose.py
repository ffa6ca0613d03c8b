"""Transformations in turn."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Shaped
from torch import Tensor

Transformation = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Compose:
    """Applies `steps`, the first one first."""

    steps: tuple[Transformation, ...]

    def __call__(self, x: Shaped[Tensor, "B *event"]) -> Shaped[Tensor, "B *event"]:
        for step in self.steps:
            x = step(x)
        return x
