"""Correct means and shares by segment with the weights of Bolck, Croon and Hagenaars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pyro_gmvae.segments.classification_error import bch_weights
from pyro_gmvae.segments.outcomes.equality import EqualityTest, chi_square, contrasts, f_test
from pyro_gmvae.segments.outcomes.estimates import (
    Estimates,
    KnownRows,
    Moves,
    covariance_of,
    pairs_of,
    widened,
)

__all__ = ["bch_means", "bch_shares"]

LEAST_FREE = 1e-6  # of a residual's degree of freedom, 1 - h


@dataclass(frozen=True, eq=False)
class _Regression:
    """Hold the regression of z on q: b of `bch_weights`, and what it leaves over."""

    b: Float[np.ndarray, "N K"]
    means: Float[np.ndarray, "K L"]
    residuals: Float[np.ndarray, "N L"]

    @classmethod
    def of(cls, rows: KnownRows) -> _Regression:
        b = bch_weights(rows.q, rows.a, rows.weights)
        means = b.T @ rows.z
        free = np.clip(1 - (rows.q * b).sum(1, keepdims=True), LEAST_FREE, 1)
        # HC2 (MacKinnon and White 1985): for certain rows the variance is the usual s^2 / n.
        return cls(b, means, (rows.z - rows.q @ means) / np.sqrt(free))

    @property
    def covariances(self) -> Float[np.ndarray, "L K K"]:
        """Return the sandwich of each column of z."""
        return np.stack([(self.b * e[:, None] ** 2).T @ self.b for e in self.residuals.T])

    @property
    def effective(self) -> Float[np.ndarray, " K"]:
        return 1 / (self.b**2).sum(0)


def bch_means(rows: KnownRows, level: float, moves: Moves | None = None) -> Estimates:
    """Estimate the mean of a number in each segment, with Student's intervals.

    The standard errors are robust: they assume no law of the number and no equal variance. For
    certain rows all is as in a textbook: group means, s / sqrt(n), and n - 1 degrees of freedom.

    Args:
        rows: the rows where the number is known, ``z`` of one column.
        level: probability of the intervals.
        moves: what fits of the segments to resampled rows change; None for segments that are known.

    >>> q = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    >>> rows = KnownRows(np.array([[1.0], [2.0], [3.0], [7.0], [8.0], [9.0]]), q, q, np.ones(6))
    >>> bch_means(rows, 0.95).means.ravel()
    array([2., 8.])
    """
    from scipy import stats

    fit = _Regression.of(rows)
    (covariance,) = fit.covariances
    k = len(covariance)
    free = np.maximum(fit.effective - 1, 1)
    spread = stats.t.ppf((1 + level) / 2, free)
    half = spread * np.sqrt(np.diag(covariance))
    spare = max(len(rows.z) - k, 1)
    whole = covariance if moves is None else covariance + covariance_of(moves[..., 0])

    def tested(c: np.ndarray, covariance: np.ndarray) -> EqualityTest:
        return f_test(c @ fit.means[:, 0], c @ covariance @ c.T, spare)

    found = Estimates(
        means=fit.means,
        covariances=covariance[None],
        lows=fit.means - half[:, None],
        highs=fit.means + half[:, None],
        effective=fit.effective,
        # If all segments are alike, it is of no account which one a row is in.
        test=tested(contrasts(k), covariance),
        pair_tests=tuple(tested(c[None], whole) for c in pairs_of(k)),
    )
    return widened(found, moves, spread)


def bch_shares(rows: KnownRows, level: float, moves: Moves | None = None) -> Estimates:
    """Estimate the share of each level in each segment, with score intervals.

    Given x, a level has the probability m = q(x) p, so that its variance m (1 - m) is known for
    every p. Intervals hold the p that a score test keeps (for certain rows, Wilson's), and the
    tests take the variance under equality (for certain rows, Pearson's chi-square). Unlike Wald's,
    both hold where a share is near 0.

    Args:
        rows: the rows where the level is known, ``z`` its indicators ``(N, L)``.
        level: probability of the intervals.
        moves: as in `bch_means`.

    >>> q = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    >>> rows = KnownRows(np.eye(2)[[0, 0, 1, 1, 1, 1]], q, q, np.ones(6))
    >>> round(float(bch_shares(rows, 0.95).highs[0, 1]), 3)  # of 1 in 3
    0.792
    """
    from scipy import stats

    fit = _Regression.of(rows)
    k = rows.q.shape[1]
    within = fit.means.clip(0, 1)  # an estimate may be beyond, a probability may not
    spread = stats.norm.ppf((1 + level) / 2)
    ends = [_score_interval(fit.b, rows.q, p, spread) for p in within.T]
    found = Estimates(
        means=fit.means,
        covariances=fit.covariances,
        lows=np.stack([low for low, _ in ends], 1),
        highs=np.stack([high for _, high in ends], 1),
        effective=fit.effective,
        test=_all_alike(fit, rows, contrasts(k)),
        pair_tests=tuple(_two_alike(fit, rows, within, c, moves) for c in pairs_of(k)),
    )
    wide = widened(found, moves, spread)
    return replace(wide, lows=wide.lows.clip(0, 1), highs=wide.highs.clip(0, 1))


def _score_interval(
    b: np.ndarray, q: np.ndarray, p: np.ndarray, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve (p - p0)^2 = spread^2 V(p0), where V(p0) = sum_i b_i^2 m_i (1 - m_i), for p0."""
    rest = (q @ p)[:, None] - q * p  # what the other segments add to m
    square = b**2
    v0, v1, v2 = (
        (square * part).sum(0) for part in (rest * (1 - rest), q * (1 - 2 * rest), -(q**2))
    )
    s = spread**2
    # (1 - s v2) p0^2 - (2 p + s v1) p0 + (p^2 - s v0) = 0
    first, second, third = 1 - s * v2, 2 * p + s * v1, p**2 - s * v0
    root = np.sqrt(np.maximum(second**2 - 4 * first * third, 0))
    low, high = ((second + sign * root) / (2 * first) for sign in (-1, 1))
    return low.clip(0, 1), high.clip(0, 1)


def _all_alike(fit: _Regression, rows: KnownRows, c: np.ndarray) -> EqualityTest:
    """Test that all segments have one law, that of all rows."""
    p = rows.weights @ rows.z / rows.weights.sum()
    of_levels = (np.diag(p) - np.outer(p, p))[:-1, :-1]  # the last level follows from the others
    covariance = np.kron(c @ (fit.b.T @ fit.b) @ c.T, of_levels)
    return chi_square((c @ fit.means)[:, :-1].ravel(), covariance)


def _two_alike(
    fit: _Regression, rows: KnownRows, within: np.ndarray, c: np.ndarray, moves: Moves | None
) -> EqualityTest:
    """Test that two segments have one law, whatever the others have."""
    two = c != 0
    sizes = rows.weights @ rows.q[:, two]
    p = within / within.sum(1, keepdims=True)
    p[two] = sizes @ p[two] / sizes.sum()
    m, square = rows.q @ p, (fit.b @ c) ** 2
    covariance = np.diag(square @ m) - (m * square[:, None]).T @ m
    if moves is not None:
        covariance = covariance + covariance_of(np.tensordot(moves, c, (1, 0)))
    return chi_square((c @ fit.means)[:-1], covariance[:-1, :-1])
