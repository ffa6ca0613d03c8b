"""Average figures of rows that count by their weights."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["standard_error", "weighted_ari", "weighted_mean", "weighted_sizes"]

Weights = Float[Tensor, " N"] | None


def weighted_mean(values: Float[Tensor, "N *each"], weights: Weights = None) -> Tensor:
    """Average over the first axis, each entry by its weight; None weighs all alike.

    >>> weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0])).item()
    2.0
    """
    if weights is None:
        return values.mean(0)
    return torch.tensordot(weights.to(values), values, 1) / weights.sum().to(values)


def standard_error(values: Float[Tensor, " N"], weights: Weights = None) -> Tensor:
    """Return the standard error of `weighted_mean` over random data, of two or more.

    With weights it is the linearised one of a ratio, which holds for the weights of a survey.

    >>> values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    >>> round(standard_error(values).item(), 4)  # 2.7386 / 3
    0.9129
    """
    n = len(values)
    if weights is None:
        return values.std() / n**0.5
    share = (weights / weights.sum()).to(values)
    off = share * (values - weighted_mean(values, weights))
    return (off.square().sum() * n / (n - 1)).sqrt()


def weighted_sizes(
    clusters: Int64[Tensor, " N"], n_clusters: int, weights: Weights = None
) -> Tensor:
    """Sum the weights of the rows of each cluster, shape ``(K,)``; None counts rows.

    >>> weighted_sizes(torch.tensor([0, 2, 2]), 3, torch.tensor([1.0, 2.0, 0.5])).tolist()
    [1.0, 0.0, 2.5]
    """
    return clusters.bincount(weights, minlength=n_clusters)


def weighted_ari(
    first: Int64[Tensor, " N"], second: Int64[Tensor, " N"], weights: Weights = None
) -> float:
    """Compute the adjusted Rand index of two clusterings; a row of weight 2 counts as two rows.

    >>> one, other = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    >>> whole = weighted_ari(one.repeat_interleave(2), other.repeat_interleave(2))
    >>> abs(weighted_ari(one, other, torch.full((4,), 2.0)) - whole) < 1e-12
    True
    """
    from sklearn.metrics import adjusted_rand_score

    if weights is None:
        return float(adjusted_rand_score(first.numpy(), second.numpy()))
    n = int(second.max()) + 1
    table = (first * n + second).bincount(weights.double(), minlength=(int(first.max()) + 1) * n)
    table = table.view(-1, n)
    both, ours, theirs = (_pairs(t) for t in (table, table.sum(1), table.sum(0)))
    expected = ours * theirs / _pairs(table.sum())
    most = (ours + theirs) / 2
    return 1.0 if most == expected else ((both - expected) / (most - expected)).item()


def _pairs(sizes: Tensor) -> Tensor:
    return (sizes * (sizes - 1) / 2).sum()
