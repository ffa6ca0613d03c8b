"""Hold the rows of an outcome, and what is estimated of it by segment, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from jaxtyping import Float

from pyro_gmvae.segments.outcomes.equality import EqualityTest

__all__ = [
    "Estimates",
    "KnownRows",
    "Moves",
    "covariance_of",
    "covariances_of",
    "pairs_of",
    "widened",
]

# What R fits of the segments to resampled rows change in each figure, (R, K, L).
Moves = Float[np.ndarray, "R K L"]


@dataclass(frozen=True, eq=False)
class KnownRows:
    """Hold the N rows where an outcome is known.

    Attributes:
        z: ``(N, 1)`` numbers, or ``(N, L)`` indicators of levels.
        q: ``(N, K)`` responsibilities.
        a: ``(N, K)`` assignments.
        weights: ``(N,)`` how much each row counts.

    >>> q, a = np.array([[0.9, 0.1], [0.2, 0.8]]), np.eye(2)
    >>> KnownRows(np.ones((2, 1)), q, a, np.ones(2)).d.round(2)
    array([[0.82, 0.18],
           [0.11, 0.89]])
    """

    z: Float[np.ndarray, "N L"]
    q: Float[np.ndarray, "N K"]
    a: Float[np.ndarray, "N K"]
    weights: Float[np.ndarray, " N"]

    @property
    def d(self) -> Float[np.ndarray, "K K"]:
        """Return D, p(assigned s | segment t) among these rows."""
        joint = (self.weights[:, None] * self.q).T @ self.a
        return joint / joint.sum(1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Estimates:
    """Hold corrected figures of K segments and L levels; a number is one level.

    Attributes:
        means: ``(K, L)``.
        covariances: ``(L, K, K)`` of the figures of one level in all segments.
        lows, highs: ``(K, L)`` ends of the intervals.
        effective: ``(K,)`` the number of certain rows that would tell as much of a segment.
        test: of the hypothesis that all segments have one law.
        pair_tests: of that hypothesis for each two segments, in the order of `pairs_of`.

    >>> means, test = np.array([[0.2], [0.5]]), EqualityTest(9.0, 1, 0.003)
    >>> covariances = np.diag([0.01, 0.01])[None]
    >>> found = Estimates(means, covariances, means - 0.2, means + 0.2, np.ones(2), test, (test,))
    >>> found.highs.ravel().round(2).tolist()
    [0.4, 0.7]
    """

    means: Float[np.ndarray, "K L"]
    covariances: Float[np.ndarray, "L K K"]
    lows: Float[np.ndarray, "K L"]
    highs: Float[np.ndarray, "K L"]
    effective: Float[np.ndarray, " K"]
    test: EqualityTest
    pair_tests: tuple[EqualityTest, ...]


def covariance_of(moves: Float[np.ndarray, "R m"]) -> Float[np.ndarray, "m m"]:
    """Return the covariance of what R fits change, about no change.

    >>> covariance_of(np.array([[1.0], [-2.0]]))
    array([[2.5]])
    """
    return moves.T @ moves / len(moves)


def covariances_of(moves: Moves) -> Float[np.ndarray, "L K K"]:
    """Return the covariance of what R fits change in the segments, for each level.

    >>> covariances_of(np.array([[[1.0]], [[-2.0]]]))
    array([[[2.5]]])
    """
    return np.stack([covariance_of(of_level) for of_level in np.moveaxis(moves, 2, 0)])


def widened(
    found: Estimates, moves: Moves | None, spread: Float[np.ndarray, " K"] | float
) -> Estimates:
    """Let intervals and covariances count a second source of error, which is independent.

    The squares of half-widths are added, as in Zou and Donner 2008.

    Args:
        found: the estimates.
        moves: what fits of the segments to resampled rows change; None for nothing.
        spread: the number of standard errors that an interval reaches out.

    >>> none, test = np.zeros((1, 1)), EqualityTest(0.0, 0, None)
    >>> found = Estimates(none, none[None], none - 3, none + 3, np.ones(1), test, ())
    >>> widened(found, np.full((9, 1, 1), 2.0), 2.0).highs
    array([[5.]])
    """
    if moves is None:
        return found
    more = np.reshape(spread, (-1, 1)) ** 2 * (moves**2).mean(0)
    middle = found.means.clip(found.lows, found.highs)
    return replace(
        found,
        covariances=found.covariances + covariances_of(moves),
        lows=middle - np.sqrt((middle - found.lows) ** 2 + more),
        highs=middle + np.sqrt((found.highs - middle) ** 2 + more),
    )


def pairs_of(k: int) -> Float[np.ndarray, "pairs K"]:
    """Return a contrast, 1 and -1, for each two of K segments.

    >>> pairs_of(3)
    array([[ 1., -1.,  0.],
           [ 1.,  0., -1.],
           [ 0.,  1., -1.]])
    """
    eye = np.eye(k)
    rows = [eye[s] - eye[t] for s, t in combinations(range(k), 2)]
    return np.array(rows).reshape(-1, k)
