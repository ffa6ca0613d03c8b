"""Replace a row by one of the rows nearest to it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.ranges import whole

NEIGHBOURS = 10


@dataclass(frozen=True, eq=False, repr=False)
class NearestRow:
    """Replace each row by one of its nearest known rows, each of them equally likely.

    Neighbours are looked up in the known rows, so that a batch needs no places and new rows have
    neighbours too. A known row is no neighbour of itself.

    Args:
        known: rows ``(N, D)``, on the scale of the batches.
        count: neighbours to draw from.

    Raises:
        ValueError: for a count below 1, or not more rows than that.

    >>> known = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0], [9.0, 8.0]])
    >>> NearestRow(known, count=1)(torch.tensor([[0.2, 0.0], [9.0, 9.0]])).tolist()
    [[0.0, 0.0], [9.0, 8.0]]
    """

    known: Float[Tensor, "N D"]
    count: int = NEIGHBOURS

    @classmethod
    def among(cls, known: Float[Tensor, "N D"]) -> "NearestRow":
        """Draw from ten neighbours, or from all other rows if there are fewer."""
        return cls(known, min(NEIGHBOURS, len(known) - 1))

    def __post_init__(self) -> None:
        whole("count", self.count, least=1, below=len(self.known))

    def __call__(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        known = self.known.to(x)
        # |x - k|^2 without |x|^2, which is the same for all known rows.
        distance = known.square().sum(-1) - 2 * x @ known.T
        own = (distance + x.square().sum(-1, keepdim=True)) <= self._rounding(x)
        nearest = distance.masked_fill(own, torch.inf).topk(self.count, largest=False).indices
        drawn = torch.randint(self.count, (len(x), 1), device=x.device)
        return known.index_select(0, nearest.gather(1, drawn).squeeze(-1))

    def _rounding(self, x: Tensor) -> Tensor:
        """Return the squared distance below which a known row is the row itself."""
        return 1e-5 * x.square().sum(-1, keepdim=True)
