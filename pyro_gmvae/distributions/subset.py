"""Draw a subset of given size such that weighted sums over it are unbiased."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["LEAST_SIZE", "Subset", "draw_subset", "inclusion_probabilities"]

LEAST_SIZE = 1e-6  # lower bound of a probability used as a size; all zeros become equal sizes


class Subset(NamedTuple):
    """Hold the rows of a random subset of B data, and the weights that make sums unbiased.

    Attributes:
        rows: indices of the data in the subset, shape ``(n,)``.
        weights: shape ``(B,)``; one over a datum's probability of being in the subset, or 0 if it
            is not in it. The expectation of each weight is 1.

    >>> subset = draw_subset(torch.ones(4), 2)
    >>> len(subset.rows), sorted(subset.weights.tolist())
    (2, [0.0, 0.0, 2.0, 2.0])
    """

    rows: Int64[Tensor, " n"]
    weights: Float[Tensor, " B"]


def inclusion_probabilities(sizes: Float[Tensor, " B"], n: int) -> Float[Tensor, " B"]:
    """Compute min(1, c size) for each datum, with the c for which they sum to ``n``.

    Args:
        sizes: positive, shape ``(B,)``.
        n: size of the subset, at least 1 and less than B.

    >>> inclusion_probabilities(torch.tensor([1.0, 1.0, 2.0, 96.0]), 2)
    tensor([0.2500, 0.2500, 0.5000, 1.0000])
    """
    ascending = sizes.sort().values
    largest, others = ascending.flip(0)[:n], ascending.cumsum(0).flip(0)[:n]
    # Entry j is c if exactly the j largest are certain. j is too small while the next one, times
    # its c, is above 1.
    c = (n - torch.arange(n, device=sizes.device)) / others
    j = (c * largest > 1).sum().clamp(max=n - 1)
    return (c.index_select(0, j.view(1)) * sizes).clamp(max=1)


def draw_subset(sizes: Float[Tensor, " B"], n: int) -> Subset:
    """Draw ``n`` of the data, each with a probability in proportion to its size.

    This is systematic sampling: marks at distance one, with a random offset, along the cumulative
    probabilities. No value is read back to the host.

    Args:
        sizes: positive, shape ``(B,)``.
        n: size of the subset, at least 1 and less than B.

    Reference: Madow 1949, On the theory of systematic sampling, II, Ann. Math. Statist. 20.

    >>> draw_subset(torch.tensor([1.0, 1.0, 98.0]), 1).rows.shape
    torch.Size([1])
    """
    probabilities = inclusion_probabilities(sizes, n)
    ends = probabilities.cumsum(0)
    marks = (torch.rand_like(ends[:1]) + torch.arange(n, device=ends.device)) / n * ends[-1]
    rows = torch.searchsorted(ends, marks, right=True).clamp(max=len(ends) - 1)
    weights = torch.zeros_like(ends).scatter(0, rows, probabilities[rows].reciprocal())
    return Subset(rows, weights)
