"""Data that fall into two halves in two ways, of which a likelihood alone takes the wrong one."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

N, N_KNOWN = 160, 24


def halves(seed: int = 0) -> tuple[Float[Tensor, "N 2"], Int64[Tensor, " N"]]:
    """Four blobs, twice as far from left to right as from top to bottom; which are at the top."""
    i = torch.arange(N)
    left, top = i % 2, i // 2 % 2
    noise = 0.35 * torch.randn(N, 2, generator=torch.Generator().manual_seed(seed))
    return torch.stack([4.0 * left - 2, 2.0 * top - 1], 1) + noise, top


def of_some(values: Int64[Tensor, " N"]) -> Int64[Tensor, " N"]:
    """The first of them, the others unknown."""
    return torch.where(torch.arange(len(values)) < N_KNOWN, values, -1)


def in_threes(values: Int64[Tensor, " N"]) -> Int64[Tensor, " N"]:
    """Groups of three rows that have the same value, of some values; -1 elsewhere."""
    groups = torch.full_like(values, -1)
    for value in values.unique():
        rows = (values == value).nonzero().flatten()[:30]
        groups[rows] = 10 * value + torch.arange(30) // 3
    return groups
