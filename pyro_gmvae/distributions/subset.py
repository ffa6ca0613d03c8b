"""A subset of given size, drawn so that a weighted sum over it is right on average."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["LEAST_SIZE", "Subset", "draw_subset", "inclusion_probabilities"]

LEAST_SIZE = 1e-6  # of a probability taken for a size: where nothing is left, all are alike


class Subset(NamedTuple):
    """Some of B data.

    Attributes:
        rows: which, shape ``(n,)``.
        weights: one over the probability of being among them, 0 for those that are not,
            shape ``(B,)``; each has the mean 1.
    """

    rows: Int64[Tensor, " n"]
    weights: Float[Tensor, " B"]


def inclusion_probabilities(sizes: Float[Tensor, " B"], n: int) -> Float[Tensor, " B"]:
    """min(1, c size), with the c for which they sum to ``n``.

    Args:
        sizes: positive.
        n: at least 1, less than B.

    >>> inclusion_probabilities(torch.tensor([1.0, 1.0, 2.0, 96.0]), 2)
    tensor([0.2500, 0.2500, 0.5000, 1.0000])
    """
    ascending = sizes.sort().values
    largest, others = ascending.flip(0)[:n], ascending.cumsum(0).flip(0)[:n]
    # c if just the j largest are certain, j from 0 on; too few are while the next is above 1.
    c = (n - torch.arange(n, device=sizes.device)) / others
    j = (c * largest > 1).sum().clamp(max=n - 1)
    return (c.index_select(0, j.view(1)) * sizes).clamp(max=1)


def draw_subset(sizes: Float[Tensor, " B"], n: int) -> Subset:
    """``n`` of the data, each with a probability in proportion to its size.

    Systematic sampling: marks one apart, from a random one on, along the cumulated probabilities.
    No value is read back to the host.

    Args:
        sizes: positive.
        n: at least 1, less than B.

    Reference: Madow 1949, On the theory of systematic sampling, II, Ann. Math. Statist. 20.
    """
    probabilities = inclusion_probabilities(sizes, n)
    ends = probabilities.cumsum(0)
    marks = (torch.rand_like(ends[:1]) + torch.arange(n, device=ends.device)) / n * ends[-1]
    rows = torch.searchsorted(ends, marks, right=True).clamp(max=len(ends) - 1)
    weights = torch.zeros_like(ends).scatter(0, rows, probabilities[rows].reciprocal())
    return Subset(rows, weights)
