r"""Compare the cells of one column between groups of rows, for each draw of the clusters.

A group is given by sums over its rows, so that groups add up: those of "the rest" are the sums of
all rows without those of the cluster. A row of weight w counts w times in every mean. A group's
sampling error is that of Kish's effective number of rows, :math:`(\sum w)^2 / \sum w^2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Contrast", "Levels", "Numbers", "log_odds", "log_rate_ratio", "standardised"]

CONTINUITY = 0.5  # added to each count, so that odds of none are finite (Haldane 1956)


class Contrast(NamedTuple):
    """Hold how two groups differ: arrays with a leading axis of draws.

    Attributes:
        estimate: the effect.
        variance: its squared standard error, as if the clusters were known.
        difference: the difference of means in standard deviations of the column, by which effects
            of all kinds are put in order.
        here, there: the mean of each group.

    >>> one = np.ones((1, 1))
    >>> contrast = Contrast(2 * one, one / 4, one, here=5 * one, there=3 * one)
    >>> float(contrast.estimate[0, 0] / contrast.variance[0, 0] ** 0.5)  # in standard errors
    4.0
    """

    estimate: np.ndarray
    variance: np.ndarray
    difference: np.ndarray
    here: np.ndarray
    there: np.ndarray


@dataclass(frozen=True, eq=False)
class Mass:
    """Hold how many rows of a group are known in a column.

    Attributes:
        mass: the sum of the weights.
        squares: the sum of the squared weights.

    >>> weights = np.array([1.0, 1.0, 2.0])
    >>> group = Mass(weights.sum(keepdims=True), (weights**2).sum(keepdims=True))
    >>> group.n.round(2)  # 16 / 6
    array([2.67])
    """

    mass: np.ndarray
    squares: np.ndarray

    @property
    def n(self) -> np.ndarray:
        """Return the effective number of rows."""
        return _over(self.mass**2, self.squares)


@dataclass(frozen=True, eq=False)
class Numbers(Mass):
    """Hold the sums of a group over its known cells.

    Attributes:
        powers: ``(..., P)`` the sums of w x, w x², ...

    >>> x = np.array([1.0, 2.0, 3.0])
    >>> group = Numbers(np.full(1, 3.0), np.full(1, 3.0), np.stack([x, x**2], -1).sum(0)[None])
    >>> group.moment(1), group.variance.round(3)
    (array([2.]), array([0.667]))
    """

    powers: np.ndarray

    def __sub__(self, other: Numbers) -> Numbers:
        return Numbers(
            (self.mass - other.mass).clip(0),
            (self.squares - other.squares).clip(0),
            self.powers - other.powers,
        )

    def moment(self, power: int) -> np.ndarray:
        """Return the mean of a power of x."""
        return _over(self.powers[..., power - 1], self.mass)

    @property
    def variance(self) -> np.ndarray:
        """Return the variance of x within the group."""
        return np.maximum(self.moment(2) - self.moment(1) ** 2, 0.0)


@dataclass(frozen=True, eq=False)
class Levels(Mass):
    """Hold the sums of a group by the levels of a column, over its known cells.

    Attributes:
        counts: ``(..., L)`` the sum of the weights at each level.

    >>> group = Levels(np.full(1, 4.0), np.full(1, 4.0), np.array([[1.0, 3.0]]))
    >>> group.shares
    array([[0.25, 0.75]])
    """

    counts: np.ndarray

    def __sub__(self, other: Levels) -> Levels:
        return Levels(
            (self.mass - other.mass).clip(0),
            (self.squares - other.squares).clip(0),
            (self.counts - other.counts).clip(0),
        )

    @property
    def shares(self) -> np.ndarray:
        """Return the share of each level."""
        return _over(self.counts, self.mass[..., None])


def standardised(here: Numbers, there: Numbers, whole: Numbers) -> Contrast:
    r"""Return the difference of the means of two groups, in standard deviations of the column.

    The unit is the standard deviation of all rows, so that it is the same for all clusters and
    exists where a group has one value only. Its own error counts, by the delta method. With x
    centred and scaled by all N rows, means m, and moments :math:`\mu_2, \mu_3` of a group about 0,

    .. math:: d = m_1 - m_0, \quad \mathrm{Var}(d) = \frac{v_1}{n_1} + \frac{v_0}{n_0}
        - \frac{d}{N} \big[(\mu_{3,1} - m_1 \mu_{2,1}) - (\mu_{3,0} - m_0 \mu_{2,0})\big]
        + \frac{d^2}{4 N} (\mu_4 - 1).

    Args:
        here, there: sums of powers 1 to 4 of x in the groups.
        whole: those of all rows.

    >>> x = np.array([-1.0, -1.0, 1.0, 1.0])
    >>> def group(x):
    ...     powers = np.stack([x, x**2, x**3, x**4], -1).sum(0)
    ...     n = np.full(1, float(len(x)))
    ...     return Numbers(n, n, powers[None])
    >>> standardised(group(x[2:]), group(x[:2]), group(x)).estimate
    array([2.])
    """
    d = here.moment(1) - there.moment(1)
    skew = [g.moment(3) - g.moment(1) * g.moment(2) for g in (here, there)]
    total = _over(np.ones_like(whole.mass), whole.n)
    variance = (
        _over(here.variance, here.n)
        + _over(there.variance, there.n)
        - d * total * (skew[0] - skew[1])
        + d**2 / 4 * total * (whole.moment(4) - 1)
    )
    return Contrast(d, np.maximum(variance, 0.0), d, here.moment(1), there.moment(1))


def log_rate_ratio(here: Numbers, there: Numbers, difference: np.ndarray) -> Contrast:
    r"""Return the log of the ratio of two groups' mean counts.

    .. math:: \mathrm{Var}(\log m_1/m_0) = \frac{v_1}{n_1 m_1^2} + \frac{v_0}{n_0 m_0^2}

    The variances are those of the cells, so that counts need not be Poisson. Half a count is added
    to each group, so that groups of zeros are finite.

    Args:
        here, there: sums of powers 1 and 2 of the counts.
        difference: the `Contrast.difference` to report.

    >>> eight = np.full(1, 8.0)
    >>> two, one = (Numbers(eight, eight, np.array([p])) for p in ([16.0, 40.0], [8.0, 16.0]))
    >>> np.exp(log_rate_ratio(two, one, np.zeros(1)).estimate).round(2)
    array([1.94])
    """
    rates = [g.moment(1) + _over(CONTINUITY * np.ones_like(g.mass), g.n) for g in (here, there)]
    variance = sum(
        _over(_over(g.variance, g.n) + _over(CONTINUITY, g.n**2), rate**2)
        for g, rate in zip((here, there), rates, strict=True)
    )
    estimate = np.log(rates[0]) - np.log(rates[1])
    return Contrast(estimate, np.asarray(variance), difference, here.moment(1), there.moment(1))


def log_odds(here: Levels, there: Levels, whole: Levels) -> Contrast:
    r"""Return the log of the odds ratio of each level.

    .. math:: \log \frac{a d}{b c}, \qquad
        \mathrm{Var} = \frac{1}{a} + \frac{1}{b} + \frac{1}{c} + \frac{1}{d}

    a and b count the rows of one group at the level and elsewhere, c and d those of the other, in
    effective rows, with a half added to each (Haldane 1956; Gart 1966).

    >>> ten = np.full(1, 10.0)
    >>> one, two = (Levels(ten, ten, np.array([c])) for c in ([5.0, 5.0], [2.0, 8.0]))
    >>> whole = Levels(2 * ten, 2 * ten, np.array([[7.0, 13.0]]))
    >>> log_odds(one, two, whole).estimate.round(2)
    array([[ 1.22, -1.22]])
    """
    p1, p0, p = here.shares, there.shares, whole.shares
    n1, n0 = here.n[..., None], there.n[..., None]
    cells = [n + CONTINUITY for n in (p1 * n1, (1 - p1) * n1, p0 * n0, (1 - p0) * n0)]
    a, b, c, d = (np.log(cell) for cell in cells)
    variance = sum(1 / cell for cell in cells)
    difference = _over(p1 - p0, np.sqrt(p * (1 - p)))
    return Contrast(a - b - c + d, np.asarray(variance), difference, p1, p0)


def _over(part: np.ndarray | float, whole: np.ndarray) -> np.ndarray:
    """Divide, with NaN where there is nothing to divide by."""
    positive = whole > 0
    return np.where(positive, part / np.where(positive, whole, 1.0), np.nan)
