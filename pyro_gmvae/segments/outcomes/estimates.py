"""Hold the rows of an outcome, and what is estimated of it by segment, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from pyro_gmvae.segments.outcomes.equality import EqualityTest

__all__ = ["Estimates", "KnownRows", "pairs_of"]


@dataclass(frozen=True, eq=False)
class KnownRows:
    """Hold the N rows where an outcome is known.

    Attributes:
        z: ``(N, 1)`` numbers, or ``(N, L)`` indicators of levels.
        q: ``(N, K)`` responsibilities.
        a: ``(N, K)`` assignments.
        weights: ``(N,)`` how much each row counts.
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
    """

    means: Float[np.ndarray, "K L"]
    covariances: Float[np.ndarray, "L K K"]
    lows: Float[np.ndarray, "K L"]
    highs: Float[np.ndarray, "K L"]
    effective: Float[np.ndarray, " K"]
    test: EqualityTest
    pair_tests: tuple[EqualityTest, ...]


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
