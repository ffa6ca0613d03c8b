r"""Draw the clusters of rows from their responsibilities, and pool what the draws say.

A row has no cluster, it has probabilities of clusters. Means over rows "of a cluster" would be too
sure if each row were given to its likeliest one. Multiple imputation draws the clusters M times,
computes a figure and its variance from each draw as if the clusters were known, and pools them.

References: Rubin 1987, Multiple imputation for nonresponse in surveys, section 3.1; Orchard and
Woodbury 1972, A missing information principle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["DRAWS", "Memberships", "Pooled", "draw_memberships", "pooled"]

DRAWS = 20
MOST_MISSING = 0.8  # share of the information that draws may be said to miss


@dataclass(frozen=True, eq=False)
class Memberships:
    """Hold M draws of the clusters of N rows.

    Attributes:
        members: ``(M, N)`` the drawn cluster of each row.
        n_clusters: K.

    >>> draws = Memberships(np.array([[0, 0, 1], [0, 1, 1]]), n_clusters=2)
    >>> draws.sums(np.array([[1.0], [10.0], [100.0]]))[..., 0]
    array([[ 11., 100.],
           [  1., 110.]])
    """

    members: np.ndarray
    n_clusters: int

    def __post_init__(self) -> None:
        from scipy.sparse import csr_matrix

        m, n = self.members.shape
        groups = (self.members + self.n_clusters * np.arange(m)[:, None]).ravel()
        rows = np.tile(np.arange(n), m)
        shape = (m * self.n_clusters, n)
        made = csr_matrix((np.ones(m * n), (groups, rows)), shape=shape)
        object.__setattr__(self, "_indicator", made)

    @property
    def indicator(self) -> csr_matrix:
        """Return the sparse ``(M K, N)`` matrix that is 1 where a row was drawn into a cluster."""
        found: csr_matrix = self._indicator  # type: ignore[attr-defined]
        return found

    def sums(self, features: np.ndarray | csr_matrix) -> np.ndarray:
        """Sum features ``(N, F)`` over the rows of each cluster, shape ``(M, K, F)``."""
        made = self.indicator @ features
        made = made if isinstance(made, np.ndarray) else made.toarray()
        return np.asarray(made).reshape(len(self.members), self.n_clusters, -1)


def draw_memberships(q: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> Memberships:
    """Draw the cluster of each row ``draws`` times.

    Args:
        q: ``(N, K)`` responsibilities.
        draws: M.
        seed: fixes every draw.

    >>> draw_memberships(np.array([[1.0, 0.0], [0.0, 1.0]]), draws=2).members
    array([[0, 1],
           [0, 1]])
    """
    cdf = q.astype(np.float64).cumsum(1)
    cdf /= cdf[:, -1:]  # ends at exactly 1, so that no cluster beyond the last one is drawn
    uniform = np.random.default_rng(seed).random((draws, len(q)))
    members = np.zeros((draws, len(q)), dtype=np.int64)
    for k in range(q.shape[1] - 1):
        members += uniform >= cdf[:, k]
    return Memberships(members, q.shape[1])


@dataclass(frozen=True, eq=False)
class Pooled:
    """Hold pooled figures, all of one shape.

    Attributes:
        estimate: the mean of the draws' estimates.
        error: the standard error, of sampling and of the draws together.
        df: degrees of freedom of Student's t.

    >>> mean = Pooled(estimate=np.array([5.0]), error=np.array([2.0]), df=np.array([np.inf]))
    >>> [end.round(2).tolist() for end in mean.interval(0.05)]
    [[1.08], [8.92]]
    """

    estimate: np.ndarray
    error: np.ndarray
    df: np.ndarray

    def with_variance(self, more: np.ndarray) -> Pooled:
        """Add the variance of another, independent source of error.

        >>> Pooled(np.zeros(1), np.full(1, 3.0), np.ones(1)).with_variance(np.full(1, 16.0)).error
        array([5.])
        """
        return Pooled(self.estimate, np.sqrt(self.error**2 + more), self.df)

    def interval(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the interval that misses the truth with probability ``alpha``.

        >>> ends = Pooled(np.zeros(1), np.ones(1), np.full(1, np.inf)).interval(0.05)
        >>> [end.round(2).tolist() for end in ends]
        [[-1.96], [1.96]]
        """
        from scipy.stats import t

        half = t.ppf(1 - alpha / 2, self.df) * self.error
        return self.estimate - half, self.estimate + half


def pooled(estimates: np.ndarray, variances: np.ndarray) -> Pooled:
    r"""Pool the estimates of M draws by Rubin's rules, for responsibilities fitted to the rows.

    .. math:: T = \bar W + (1 + 1/M) B', \qquad B' = \frac{B}{1 - B / \bar W}, \qquad
        \nu = (M - 1) \Big(1 + \frac{\bar W}{(1 + 1/M) B'}\Big)^2

    Here W is the mean of the variances, and B the variance of the estimates. The draws are from
    responsibilities of one fitted model, and do not vary with its parameters, which were estimated
    without the clusters. A share :math:`B / \bar W` of the information is missing, and by the
    missing information principle the variance is :math:`\bar W / (1 - B / \bar W)`; B' gives that
    for many draws. The share is taken as 0.8 at most. A figure that is not finite in a draw is NaN.

    Args:
        estimates: ``(M, ...)``.
        variances: ``(M, ...)`` the squared standard error of each estimate.

    >>> found = pooled(np.array([[1.0], [3.0]]), np.array([[4.0], [4.0]]))
    >>> found.estimate, found.error**2  # 4 + 1.5 * 2 / (1 - 2 / 4)
    (array([2.]), array([10.]))
    """
    m = len(estimates)
    within = variances.mean(0)
    spread = estimates.var(0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.minimum(np.where(spread > 0, spread / within, 0.0), MOST_MISSING)
        between = (1 + 1 / m) * spread / (1 - missing)
        df = (m - 1) * (1 + within / between) ** 2
    return Pooled(estimates.mean(0), np.sqrt(within + between), np.where(between > 0, df, np.inf))
