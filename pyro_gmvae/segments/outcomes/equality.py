"""Test whether segments have the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["EqualityTest", "chi_square", "contrasts", "f_test", "holm"]

ROUNDING = 1e-9  # of the largest variance; a smaller one is that of a direction which is fixed


@dataclass(frozen=True)
class EqualityTest:
    """Hold a test of equality.

    Attributes:
        statistic: Wald's quadratic form of the differences; large if they are.
        degrees: the number of differences that are free.
        p_value: the probability of such a statistic, or a larger one, under equality; None if
            there is nothing to compare.

    >>> chi_square(np.array([1.96]), np.eye(1)).p_value
    0.0499...
    """

    statistic: float
    degrees: int
    p_value: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def contrasts(k: int) -> Float[np.ndarray, "_ K"]:
    """Return K - 1 differences from the first segment, all of which are 0 if all are equal.

    >>> contrasts(3)
    array([[-1.,  1.,  0.],
           [-1.,  0.,  1.]])
    """
    return np.hstack([-np.ones((k - 1, 1)), np.eye(k - 1)])


def chi_square(
    difference: Float[np.ndarray, " P"], covariance: Float[np.ndarray, "P P"]
) -> EqualityTest:
    """Test that all differences are 0, by Wald's statistic and its law in large samples.

    Directions that do not vary, such as a level that neither segment has, are left out.

    Args:
        difference: estimates.
        covariance: their covariance.

    >>> found = chi_square(np.array([3.0, 4.0]), np.eye(2))
    >>> found.statistic, found.degrees  # 9 + 16
    (25.0, 2)
    """
    from scipy import stats

    statistic, degrees = _wald(difference, covariance)
    p = float(stats.chi2.sf(statistic, degrees)) if degrees else None
    return EqualityTest(statistic, degrees, p)


def f_test(
    difference: Float[np.ndarray, " P"], covariance: Float[np.ndarray, "P P"], spare: int
) -> EqualityTest:
    """Test that all differences are 0, as `chi_square` with ``spare`` degrees for the variance.

    >>> round(f_test(np.array([2.0]), np.eye(1), 10).p_value, 3)  # of Student's t of 10 degrees
    0.073
    """
    from scipy import stats

    statistic, degrees = _wald(difference, covariance)
    p = float(stats.f.sf(statistic / degrees, degrees, spare)) if degrees else None
    return EqualityTest(statistic, degrees, p)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values so that any false alarm among them is as rare as each claims.

    Those that are None stay so, and are not counted.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, i) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        adjusted[i] = least
    return adjusted


def _wald(difference: np.ndarray, covariance: np.ndarray) -> tuple[float, int]:
    """Return d' V^-1 d and the rank of V."""
    if not len(difference):
        return 0.0, 0
    variances, axes = np.linalg.eigh(covariance)
    free = variances > ROUNDING * max(variances[-1], 0.0)
    free &= variances > 0
    along = axes[:, free].T @ difference
    return float((along**2 / variances[free]).sum()), int(free.sum())
