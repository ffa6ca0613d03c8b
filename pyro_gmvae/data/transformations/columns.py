"""Change entries of a table at random: replace them by another row's or by zero."""

from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.data.transformations.draws import check_probability


@dataclass(frozen=True)
class Resample:
    """Replace each entry, with probability `p`, by the entry of a random row of the batch.

    The new entry comes from the column's own distribution and holds no information about the row.

    Args:
        p: probability of replacing an entry.

    Raises:
        ValueError: for a `p` that is not a probability.

    >>> x = torch.tensor([[1.0, 20.0], [2.0, 10.0]])
    >>> bool((Resample(p=1.0)(x)[:, 0] <= 2).all())  # an entry stays in its column
    True
    """

    p: float = 0.2

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B D"]) -> Shaped[Tensor, "B D"]:
        rows = torch.randint(len(x), x.shape, device=x.device)
        return torch.where(random_mask(x, self.p), x.gather(0, rows), x)


@dataclass(frozen=True)
class FeatureDropout:
    """Set each entry, with probability `p`, to zero, which is the mean of a standardised column.

    Args:
        p: probability of setting an entry to zero.

    Raises:
        ValueError: for a `p` that is not a probability.

    >>> FeatureDropout(p=1.0)(torch.ones(2, 3))
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """

    p: float = 0.2

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B D"]) -> Shaped[Tensor, "B D"]:
        return torch.where(random_mask(x, self.p), torch.zeros_like(x), x)


def random_mask(x: Shaped[Tensor, "B D"], p: float) -> Shaped[Tensor, "B D"]:
    """Draw a mask of the shape of ``x`` that is True with probability `p`."""
    return torch.rand(x.shape, device=x.device) < p
