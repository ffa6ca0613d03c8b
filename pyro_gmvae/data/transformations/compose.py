"""Apply several transformations in turn."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Shaped
from torch import Tensor

Transformation = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Compose:
    """Apply `steps` in turn, the first one first.

    Args:
        steps: transformations, each from a batch to a batch.

    >>> double_then_add = Compose((lambda x: 2 * x, lambda x: x + 1))
    >>> double_then_add(torch.ones(2, 3))
    tensor([[3., 3., 3.],
            [3., 3., 3.]])
    """

    steps: tuple[Transformation, ...]

    def __call__(self, x: Shaped[Tensor, "B *event"]) -> Shaped[Tensor, "B *event"]:
        for step in self.steps:
            x = step(x)
        return x
