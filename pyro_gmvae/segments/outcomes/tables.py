"""Put what was estimated of an outcome into results, segment by segment and pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from pyro_gmvae.segments.classification_error import assigned
from pyro_gmvae.segments.outcomes.equality import holm
from pyro_gmvae.segments.outcomes.estimates import Estimates, KnownRows
from pyro_gmvae.segments.outcomes.results import Estimate, Pair, SegmentOutcome

__all__ = ["pairs_between", "segments_of"]


def segments_of(
    names: Sequence[int], levels: Sequence[str], known: KnownRows, found: Estimates
) -> tuple[SegmentOutcome, ...]:
    """Return the figures of each segment, the uncorrected ones beside them.

    Args:
        names: the numbers of the K segments.
        levels: the names of the L levels.
        known: the rows.
        found: what was estimated of them.

    >>> from pyro_gmvae.segments.outcomes.equality import EqualityTest
    >>> q, means, test = np.eye(2)[[0, 0, 1]], np.array([[0.5], [1.0]]), EqualityTest(0.0, 0, None)
    >>> known = KnownRows(np.array([[0.0], [1.0], [1.0]]), q, q, np.ones(3))
    >>> found = Estimates(means, np.eye(2)[None], means, means, np.ones(2), test, (test,))
    >>> made = segments_of((0, 4), ("churn",), known, found)
    >>> [(s.segment, s.rows, s.estimates[0].value) for s in made]
    [(0, 2.0, 0.5), (4, 1.0, 1.0)]
    """
    likeliest = known.weights[:, None] * assigned(known.q, "modal")
    sizes, sums = likeliest.sum(0), likeliest.T @ known.z
    deviations = np.sqrt(np.einsum("lkk->kl", found.covariances))
    expected = known.weights @ known.q
    made = []
    for t, segment in enumerate(names):
        estimates = tuple(
            Estimate(
                level,
                float(found.means[t, i]),
                float(found.lows[t, i]),
                float(found.highs[t, i]),
                float(deviations[t, i]),
                float(sums[t, i] / sizes[t]) if sizes[t] else None,
            )
            for i, level in enumerate(levels)
        )
        rows, effective = float(expected[t]), float(found.effective[t])
        made.append(SegmentOutcome(segment, rows, effective, estimates))
    return tuple(made)


def pairs_between(
    names: Sequence[int], levels: Sequence[str], found: Estimates
) -> tuple[Pair, ...]:
    """Return the difference of each two segments, with p-values adjusted for all pairs.

    >>> from pyro_gmvae.segments.outcomes.equality import EqualityTest
    >>> means, test = np.array([[0.5], [0.9]]), EqualityTest(4.0, 1, 0.046)
    >>> found = Estimates(means, np.eye(2)[None], means, means, np.ones(2), test, (test,))
    >>> (pair,) = pairs_between((0, 4), ("churn",), found)
    >>> pair.first, pair.second, pair.p_value, round(pair.differences[0].value, 6)
    (0, 4, 0.046, -0.4)
    """
    p_values = [test.p_value for test in found.pair_tests]
    pairs = zip(combinations(range(len(names)), 2), p_values, holm(p_values), strict=True)
    return tuple(
        Pair(
            names[s],
            names[t],
            p,
            adjusted,
            tuple(_difference(found, s, t, i, level) for i, level in enumerate(levels)),
        )
        for (s, t), p, adjusted in pairs
    )


def _difference(found: Estimates, s: int, t: int, i: int, level: str) -> Estimate:
    """Combine the intervals of two segments into one of their difference.

    Source: Zou and Donner 2008, "Construction of confidence limits about effect measures"; of
    Wilson's intervals it is Newcombe's (1998), and of symmetric ones the usual.
    """
    covariance = found.covariances[i][np.ix_([s, t], [s, t])]
    variances = np.diag(covariance)
    correlation = covariance[0, 1] / np.sqrt(variances.prod()) if variances.all() else 0.0
    low, high = found.lows[[s, t], i], found.highs[[s, t], i]
    value = found.means[[s, t], i].clip(low, high)
    below, above = value - low, high - value

    def reach(first: float, second: float) -> float:
        return float(np.sqrt(first**2 + second**2 - 2 * correlation * first * second))

    between = float(value[0] - value[1])
    return Estimate(
        level,
        float(found.means[s, i] - found.means[t, i]),
        between - reach(below[0], above[1]),
        between + reach(above[0], below[1]),
        float(np.sqrt(variances.sum() - 2 * covariance[0, 1])),
        None,
    )
