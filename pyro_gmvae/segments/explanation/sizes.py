"""Say how large clusters are, how certain their rows, and which clusters blur into one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyro_gmvae.data.columns.profiles import ColumnProfile
from pyro_gmvae.segments.explanation.imputation import Memberships, pooled

__all__ = ["CERTAIN", "Size", "expected_confusion", "nearest_clusters", "sizes_of"]

CERTAIN = 0.9


@dataclass(frozen=True)
class Size:
    """Hold the size of a cluster and the certainty of its rows.

    Attributes:
        share: the share of all rows that belong to it: the mean of its responsibilities.
        low, high: the ends of the 95 % interval of the share.
        n_rows: the rows whose likeliest cluster it is.
        certainty: the mean responsibility of these rows; NaN if there are none.
        certain_share: the share of these rows whose responsibility is above 0.9.

    >>> size = Size(share=0.4, low=0.3, high=0.5, n_rows=40, certainty=0.9, certain_share=0.75)
    >>> f"{size.share:.0%}, {size.low:.0%} to {size.high:.0%}"
    '40%, 30% to 50%'
    """

    share: float
    low: float
    high: float
    n_rows: int
    certainty: float
    certain_share: float


def sizes_of(q: np.ndarray, draws: Memberships, weights: np.ndarray) -> list[Size]:
    """Return the size of each cluster.

    The interval is made on the scale of log odds, where it stays between 0 and 1.

    Args:
        q: ``(N, K)`` responsibilities.
        draws: draws of the rows' clusters from them.
        weights: ``(N,)`` how much each row counts.

    >>> from pyro_gmvae.segments.explanation.imputation import draw_memberships
    >>> q = np.eye(2)[np.repeat([0, 1], [60, 40])]
    >>> size = sizes_of(q, draw_memberships(q), np.ones(100))[1]
    >>> size.share, round(size.low, 2), round(size.high, 2), size.n_rows
    (0.4, 0.31, 0.5, 40)
    """
    n = weights.sum() ** 2 / (weights**2).sum()
    drawn = draws.sums(weights[:, None])[..., 0] / weights.sum()
    p = (drawn * n + 0.5) / (n + 1)  # so that the log odds of no row, and of all, are finite
    odds = pooled(np.log(p / (1 - p)), 1 / (n * p * (1 - p)))
    low, high = (1 / (1 + np.exp(-end)) for end in odds.interval(0.05))
    share = weights @ q / weights.sum()
    likeliest, best = q.argmax(1), q.max(1)
    rows = np.bincount(likeliest, minlength=q.shape[1])
    mass = np.bincount(likeliest, weights, q.shape[1])
    with np.errstate(invalid="ignore"):
        certainty = np.bincount(likeliest, weights * best, q.shape[1]) / mass
        certain = np.bincount(likeliest, weights * (best > CERTAIN), q.shape[1]) / mass
    return [
        Size(
            float(share[k]),
            # The share is a mean of responsibilities, and the interval one of draws.
            float(min(low[k], share[k])),
            float(max(high[k], share[k])),
            int(rows[k]),
            float(certainty[k]),
            float(certain[k]),
        )
        for k in range(q.shape[1])
    ]


def expected_confusion(q: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return where the rows of each cluster may belong: the mean responsibilities of its rows.

    Row k of the result ``(K, K)`` is about the rows whose likeliest cluster is k, and sums to 1;
    it is NaN for a cluster without rows.

    >>> expected_confusion(np.array([[0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]), np.ones(3))
    array([[0.75 , 0.25 ],
           [0.125, 0.875]])
    """
    k = q.shape[1]
    sums = np.zeros((k, k))
    np.add.at(sums, q.argmax(1), q * weights[:, None])
    with np.errstate(invalid="ignore"):
        return sums / sums.sum(1, keepdims=True)


def nearest_clusters(profiles: Sequence[ColumnProfile], used: Sequence[int]) -> dict[int, int]:
    """Find the cluster whose profile differs least from that of each cluster.

    Numbers differ by their squared deviations, levels by the squared differences of shares over
    the level's share (chi-squared); columns count alike.

    Args:
        profiles: the profile of each column by clusters.
        used: the clusters that have rows.

    >>> from pyro_gmvae.data import Column
    >>> deviation = np.array([0.0, 1.0, 5.0])
    >>> age = ColumnProfile(
    ...     Column("age"), "age", deviation, deviation, np.empty((3, 0)), np.zeros(3), 1.0
    ... )
    >>> nearest_clusters([age], [0, 1, 2])
    {0: 1, 1: 0, 2: 1}
    """
    if len(used) < 2:
        return {}
    places = list(used)
    far = np.zeros((len(places), len(places)))
    for profile in profiles:
        if profile.shares.size:
            each = np.nan_to_num(profile.shares[places])
            scale = np.sqrt(np.maximum(each.mean(0), 1e-6))
            each = each / scale / np.sqrt(max(each.shape[1] - 1, 1))
        else:
            each = np.nan_to_num(profile.deviation[places])[:, None]
        far += ((each[:, None] - each[None]) ** 2).sum(-1)
    np.fill_diagonal(far, np.inf)
    return {k: places[int(far[i].argmin())] for i, k in enumerate(places)}
