"""Random changes of tables that leave a row's meaning: columns that are forgotten or borrowed."""

from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.data.transformations.draws import check_probability


@dataclass(frozen=True)
class Resample:
    """Replaces each entry, with probability `p`, by that of another row of the batch.

    It comes from the column's own distribution, whatever that is, and tells nothing of the row.

    Raises:
        ValueError: for a `p` that is no probability.
    """

    p: float = 0.2

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B D"]) -> Shaped[Tensor, "B D"]:
        rows = torch.randint(len(x), x.shape, device=x.device)
        return torch.where(forgotten(x, self.p), x.gather(0, rows), x)


@dataclass(frozen=True)
class FeatureDropout:
    """Sets each entry, with probability `p`, to zero: the mean of a standardised column.

    Raises:
        ValueError: for a `p` that is no probability.
    """

    p: float = 0.2

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B D"]) -> Shaped[Tensor, "B D"]:
        return torch.where(forgotten(x, self.p), torch.zeros_like(x), x)


def forgotten(x: Shaped[Tensor, "B D"], p: float) -> Shaped[Tensor, "B D"]:
    """Which entries, each with probability `p`."""
    return torch.rand(x.shape, device=x.device) < p
