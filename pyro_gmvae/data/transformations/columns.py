"""Change entries of a table at random: replace them by another row's, or by zero or a gap."""

from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.data.transformations.draws import check_probability


@dataclass(frozen=True)
class Resample:
    """Replace each entry, with probability `p`, by the entry of a random row of the batch.

    The new entry comes from the column's own distribution and holds no information about the row.
    It may be a gap.

    Args:
        p: probability of replacing an entry.
        groups: a number for each column; columns of one number are replaced together, by entries of
            one row. None replaces each column on its own.

    Raises:
        ValueError: for a `p` that is not a probability.

    >>> x = torch.tensor([[1.0, 20.0], [2.0, 10.0]])
    >>> bool((Resample(p=1.0)(x)[:, 0] <= 2).all())  # an entry stays in its column
    True
    """

    p: float = 0.2
    groups: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B D"]) -> Shaped[Tensor, "B D"]:
        width = x.shape[1] if self.groups is None else max(self.groups) + 1
        rows = torch.randint(len(x), (len(x), width), device=x.device)
        if self.groups is not None:
            rows = rows[:, list(self.groups)]
        return torch.where(random_mask(x, self.p, self.groups), x.gather(0, rows), x)


@dataclass(frozen=True)
class FeatureDropout:
    """Set each entry, with probability `p`, to zero, which is the mean of a standardised column.

    A code of a level has no mean, and where columns may have gaps an entry becomes one instead.

    Args:
        p: probability of setting an entry.
        gaps: whether entries become gaps (NaN).
        groups: a number for each column; columns of one number are set together. None sets each
            column on its own.

    Raises:
        ValueError: for a `p` that is not a probability.

    >>> FeatureDropout(p=1.0)(torch.ones(2, 3))
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """

    p: float = 0.2
    gaps: bool = False
    groups: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B D"]) -> Shaped[Tensor, "B D"]:
        blank = torch.full_like(x, torch.nan) if self.gaps else torch.zeros_like(x)
        return torch.where(random_mask(x, self.p, self.groups), blank, x)


def random_mask(
    x: Shaped[Tensor, "B D"], p: float, groups: tuple[int, ...] | None = None
) -> Shaped[Tensor, "B D"]:
    """Draw a mask of the shape of ``x`` that is True with probability `p`, alike in a group."""
    if groups is None:
        return torch.rand(x.shape, device=x.device) < p
    drawn = torch.rand(len(x), max(groups) + 1, device=x.device) < p
    return drawn[:, list(groups)]
