"""Fit a mixture of per-column laws by EM, as a reference that shares no code with the library.

Within a cluster the columns are independent: numbers are normal, counts negative binomial with one
dispersion for all clusters, and levels categorical. Gaps are left out of the likelihood. Every
step is a product of matrices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp
from sklearn.cluster import KMeans

from benchmarks.tables.encoding import Encoded

__all__ = ["Laws", "Mixture"]

LEVEL_ROWS = 0.5  # pseudo-rows a level, up to ten levels


class Laws(NamedTuple):
    """Hold the laws of K clusters, in the order of the blocks of `Encoded`.

    Attributes:
        log_shares: log p(y), shape ``(K,)``.
        means: of the numbers, shape ``(K, numbers)``.
        variances: of the numbers, of that shape.
        rates: mean counts, shape ``(K, counts)``.
        dispersions: of the counts, shape ``(counts,)``; infinity is Poisson.
        log_levels: log p(level), shape ``(K, levels)``.
    """

    log_shares: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    rates: np.ndarray
    dispersions: np.ndarray
    log_levels: np.ndarray


class Mixture:
    """Fit clusters from several starts, of which the likeliest is kept.

    Args:
        clusters: K.
        seed: of the starts, every other of which is k-means, the rest random.
        starts: their number.
        iterations: of one start, at most.
        tolerance: gain of the mean log density, in nats, below which a start ends.
        least_variance: of a standardised number in a cluster.

    Attributes:
        laws: the clusters' laws.
        log_likelihood: mean log density of the rows that it was fitted to, in nats.
    """

    laws: Laws
    log_likelihood: float

    def __init__(
        self,
        clusters: int,
        *,
        seed: int = 0,
        starts: int = 10,
        iterations: int = 200,
        tolerance: float = 1e-5,
        least_variance: float = 1e-3,
    ) -> None:
        self.clusters = clusters
        self.seed = seed
        self.starts = starts
        self.iterations = iterations
        self.tolerance = tolerance
        self.least_variance = least_variance

    def fit(self, table: Encoded) -> Mixture:
        """Fit from all starts."""
        rng, k = np.random.default_rng(self.seed), self.clusters
        self.log_likelihood = -np.inf
        for start in range(self.starts):
            if start % 2 == 0:
                seed = int(rng.integers(1 << 30))
                found = KMeans(k, n_init=1, random_state=seed).fit_predict(table.completed)
                begun = np.eye(k)[found] * 0.9 + 0.1 / k
            else:
                begun = rng.dirichlet(np.full(k, 0.3), len(table))
            laws, likelihood = self._climbed(table, begun)
            if likelihood > self.log_likelihood:
                self.laws, self.log_likelihood = laws, likelihood
        return self

    def fit_from(self, table: Encoded, labels: np.ndarray) -> Mixture:
        """Fit from these clusters alone, shape ``(N,)``."""
        k = self.clusters
        self.laws, self.log_likelihood = self._climbed(table, np.eye(k)[labels] * 0.98 + 0.02 / k)
        return self

    def fit_further(self, table: Encoded) -> Mixture:
        """Go on from the laws that were fitted, on these rows."""
        self.laws, self.log_likelihood = self._climbed(table, self.responsibilities(table))
        return self

    def responsibilities(self, table: Encoded) -> np.ndarray:
        """Return p(y|x), shape ``(N, K)``."""
        joint = log_joint(table, self.laws)
        return np.asarray(np.exp(joint - logsumexp(joint, 1, keepdims=True)))

    def predict(self, table: Encoded) -> np.ndarray:
        """Return the likeliest cluster of each row, shape ``(N,)``."""
        return np.asarray(log_joint(table, self.laws).argmax(1))

    def expected(self, table: Encoded) -> np.ndarray:
        """Return the means of the columns of `Encoded.matrix` given the known cells.

        Counts are the standardised logarithm of their mean.
        """
        share, laws = self.responsibilities(table), self.laws
        center, deviation = table.count_scale
        counts = (np.log1p(share @ laws.rates) - center) / deviation
        return np.concatenate([share @ laws.means, counts, share @ np.exp(laws.log_levels)], 1)

    def log_density(self, table: Encoded) -> np.ndarray:
        """Return the log density of each row's raw cells in nats, shape ``(N,)``."""
        return np.asarray(logsumexp(log_joint(table, self.laws), 1) + table.log_volume)

    def _climbed(self, table: Encoded, responsibilities: np.ndarray) -> tuple[Laws, float]:
        old = -np.inf
        for _ in range(self.iterations):
            laws = fitted_laws(table, responsibilities, self.least_variance)
            joint = log_joint(table, laws)
            log_p = logsumexp(joint, 1, keepdims=True)
            responsibilities, new = np.exp(joint - log_p), float(log_p.mean())
            if abs(new - old) < self.tolerance:
                break
            old = new
        return laws, new


def fitted_laws(table: Encoded, responsibilities: np.ndarray, least_variance: float) -> Laws:
    """Fit the laws of the clusters to rows that belong to them in part.

    One pseudo-row of the whole table keeps the laws of tiny clusters proper.
    """
    r = responsibilities
    x, known = np.nan_to_num(table.numbers), (~np.isnan(table.numbers)).astype(float)
    rows = r.T @ known
    means = r.T @ x / (rows + 1e-9)
    squares = r.T @ (x * x) / (rows + 1e-9)
    variances = ((squares - means**2) * rows + 1) / (rows + 1)
    counts, counted = np.nan_to_num(table.counts), (~np.isnan(table.counts)).astype(float)
    rows_counted, sums = r.T @ counted, r.T @ counts
    overall = counts.sum(0) / np.maximum(counted.sum(0), 1)
    rates = np.maximum((sums + overall) / (rows_counted + 1), 1e-3)
    # The dispersion by moments: variance = rate + rate^2 / dispersion.
    beyond = r.T @ counts**2 - 2 * rates * sums + rows_counted * (rates**2 - rates)
    dispersions = (rows_counted * rates**2).sum(0) / np.maximum(beyond.sum(0), 1e-6)
    in_cluster, in_all = r.T @ table.one_hot, table.one_hot.sum(0)
    log_levels = np.zeros_like(in_cluster)
    for start, end in zip(table.offsets, table.offsets[1:], strict=False):
        block, width = slice(start, end), end - start
        prior = (in_all[block] + 1) / (in_all[block].sum() + width) * LEVEL_ROWS * min(width, 10)
        weights = in_cluster[:, block] + prior
        log_levels[:, block] = np.log(weights / weights.sum(1, keepdims=True))
    shares = r.sum(0) + 1e-9
    return Laws(
        np.log(shares / shares.sum()),
        means * rows / (rows + 1),
        np.maximum(variances, least_variance),
        rates,
        np.clip(dispersions, 0.05, 1e4),
        log_levels,
    )


def log_joint(table: Encoded, laws: Laws) -> np.ndarray:
    """Return log p(x, y) of the encoded cells, shape ``(N, K)``."""
    x, known = np.nan_to_num(table.numbers), (~np.isnan(table.numbers)).astype(float)
    precision = 1 / laws.variances
    constant = np.log(2 * np.pi * laws.variances) + laws.means**2 * precision
    joint = -0.5 * (known @ constant.T + x**2 @ precision.T) + x @ (laws.means * precision).T
    counts, counted = np.nan_to_num(table.counts), (~np.isnan(table.counts)).astype(float)
    size, rates = laws.dispersions, laws.rates
    shared = counted * (gammaln(counts + size) - gammaln(size) - gammaln(counts + 1))
    joint += shared.sum(1, keepdims=True)
    joint += counts @ np.log(rates / (rates + size)).T
    joint += counted @ (size * np.log(size / (rates + size))).T
    return np.asarray(joint + table.one_hot @ laws.log_levels.T + laws.log_shares)
