"""Choose the clusters that a picture has a row for, and write their shares."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["MAX_ROWS", "share", "shown_clusters"]

MAX_ROWS = 40  # most clusters in one picture; the largest ones are shown


def shown_clusters(
    q: Float[Tensor, "N K"], title: str | None, weights: Float[Tensor, " N"] | None = None
) -> tuple[Float[Tensor, " K"], Int[Tensor, " rows"], str | None]:
    """Return the share of each cluster, the clusters that are drawn, and the title.

    Args:
        q: q(y|x).
        title: above the picture; it tells if not all clusters are drawn.
        weights: how much each row counts; None if all count alike.

    >>> shares, shown, title = shown_clusters(torch.eye(2)[[0, 0, 0, 1]], None)
    >>> shares.tolist(), shown.tolist()
    ([0.75, 0.25], [0, 1])
    """
    mass = torch.ones(len(q), dtype=torch.float64) if weights is None else weights.double()
    sizes = q.argmax(-1).bincount(weights=mass, minlength=q.shape[-1])
    # The largest ones if there are too many, still in the order of their numbers.
    shown = sizes.argsort(descending=True, stable=True)[:MAX_ROWS].sort().values
    if len(shown) < len(sizes):
        title = f"{title or 'Clusters'} (the {MAX_ROWS} largest)"
    return sizes / sizes.sum(), shown, title


def share(part: float) -> str:
    """Write a share in percent, and none in words.

    >>> share(0.125), share(0.0)
    ('12.5%', 'empty')
    """
    return f"{part:.1%}" if part else "empty"
