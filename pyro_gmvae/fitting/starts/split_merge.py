r"""Move the clusters of a mixture of Gaussians to where they are needed.

Expectation maximisation moves clusters little by little. One that shares a group with another
cannot leave for two groups that share a cluster. Here the least needed clusters are taken away and
the clusters that two describe best are split, several at a time, and the likelihood decides
(after Ueda, Nakano, Ghahramani and Hinton 2000, SMEM algorithm for mixture models).
"""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pyro_gmvae.fitting.starts.gaussians import (
    GaussianRows,
    Gaussians,
    expectation_maximization,
)

__all__ = ["moved_clusters"]

MOVED = 0.2  # share of the clusters that are moved at once, at first
ROUNDS = 15  # of each try
LEAST_GAIN = 1e-4  # nats a row
HALF, FEWEST = 4, 10  # rows of a half, and of a cluster that is split, at least
PULL = 2.0  # pseudo-rows with the variance of the whole cluster, in a half
TWO_MEANS, AXES = 8, 2  # rounds of two-means, and principal axes that it begins at
SURE = 1 - 1e-9


def moved_clusters(rows: GaussianRows, mixture: Gaussians, *, uniform: bool = False) -> Gaussians:
    """Move clusters as long as the likelihood rises.

    Args:
        rows: the rows.
        mixture: K Gaussians that were fitted to them.
        uniform: whether all clusters are equally likely.

    Returns:
        The mixture whose rows are likeliest, or the one given.

    >>> groups = torch.arange(40) // 8
    >>> x = (5.0 * groups + torch.arange(40) % 8 / 100).unsqueeze(-1)
    >>> begun = torch.tensor([0, 2, 3, 4, 4])[groups]
    >>> begun[:4] = 1  # the clusters 0 and 1 share a group, and 4 has two groups
    >>> rows = GaussianRows.of(x, floors=(0.001,))
    >>> mixture = Gaussians.of(rows, torch.eye(5)[begun], "full")
    >>> moved = moved_clusters(rows, mixture)
    >>> moved.loc.flatten().sort().values.round(decimals=1).tolist()
    [0.0, 5.0, 10.0, 15.0, 20.0]
    """
    value = rows.mean(mixture.log_joint(rows).logsumexp(-1))
    several = int(MOVED * len(mixture.loc))
    while several:
        moved, several = _moved(rows, mixture.log_joint(rows).softmax(-1), several)
        if not several:
            break
        tried, values = expectation_maximization(
            rows,
            moved.unsqueeze(0),
            mixture.shape,
            rounds=ROUNDS,
            least_gain=LEAST_GAIN,
            uniform=uniform,
        )
        if float(values[0]) > value + LEAST_GAIN:
            mixture, value = tried[0], float(values[0])
        else:
            several //= 2
    return mixture


def _moved(
    rows: GaussianRows, r: Float[Tensor, "N K"], several: int
) -> tuple[Float[Tensor, "N K"], int]:
    """Take clusters away and give each of them half of another; say how many were moved."""
    halves = _halves(rows, r.argmax(-1), r.shape[1])
    split = sorted(halves, key=lambda k: -halves[k][0])
    # Without cluster y, log p(x) falls by -log(1 - p(y|x)).
    need = -(rows.weights.unsqueeze(-1) * torch.log1p(-r.clamp(max=SURE))).sum(0)
    moved, used = r.clone(), set[int]()
    done = 0
    for weak in need.argsort().tolist():
        strong = next((k for k in split if k not in used and k != weak), None)
        if done == several or strong is None:
            break
        if weak in used:
            continue
        used |= {weak, strong}
        half = halves[strong][1]
        moved[:, weak] = 0
        moved[half, weak] = moved[half, strong]
        moved[half, strong] = 0
        done += 1
    # A row whose cluster was taken away goes to those that it was next likeliest in.
    return moved / moved.sum(-1, keepdim=True).clamp(min=1e-12), done


def _halves(
    rows: GaussianRows, clusters: Tensor, n_clusters: int
) -> dict[int, tuple[float, Tensor]]:
    """Return the gain in log p(x) if a cluster is split, and one half, of those that gain."""
    found = {}
    for k in range(n_clusters):
        own = (clusters == k).nonzero().flatten()
        if len(own) < FEWEST:
            continue
        x = rows.x[own]
        z = (x - x.mean(0)) / x.std(0).clamp(min=1e-12)
        axes = torch.linalg.svd(z, full_matrices=False).Vh[:AXES]
        tried = [_two_means(z, z @ axis < 0) for axis in axes]
        gain, half = max(((_gain(x, half), half) for half in tried), key=lambda pair: pair[0])
        if gain > 0:
            found[k] = gain, own[half]
    return found


def _two_means(z: Float[Tensor, "n R"], half: Bool[Tensor, " n"]) -> Bool[Tensor, " n"]:
    for _ in range(TWO_MEANS):
        if min(half.sum(), (~half).sum()) < HALF:
            break
        one, other = z[half].mean(0), z[~half].mean(0)
        half = (z - one).square().sum(-1) < (z - other).square().sum(-1)
    return half


def _gain(x: Float[Tensor, "n R"], half: Bool[Tensor, " n"]) -> float:
    """Return by how much two diagonal Gaussians describe rows better than one, in nats."""
    parts = x[half], x[~half]
    if min(map(len, parts)) < HALF:
        return -torch.inf
    whole = x.var(0, correction=0)
    gain = 0.5 * len(x) * whole.log().sum()
    for part in parts:
        n = len(part)
        variance = (n * part.var(0, correction=0) + PULL * whole) / (n + PULL)
        gain = gain - 0.5 * n * variance.log().sum() + n * log(n / len(x))
    return float(gain)
