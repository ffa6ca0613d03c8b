"""Cluster generated tables of few and of many groups: quality, lost groups and seconds.

Each table has groups of unequal sizes (log-normal, at least ten rows) and spreads, in columns that
are independent within a group. All methods are told the number of groups; every seed is counted.
A group is lost if no cluster has its rows: if under half of them are in clusters that have more of
it than of any other group.

    python -m benchmarks many-clusters --out benchmarks/results/many_clusters.json
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.summary import spread
from pyro_gmvae import GMVAE

LEAST_ROWS = 10  # in a group
N_INIT = 3


def groups(seed: int, n_groups: int, n_rows: int, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a standardised table and the group of each row.

    Args:
        seed: of all that is drawn.
        n_groups: K.
        n_rows: N.
        n_columns: D.

    >>> x, y = groups(0, 3, 60, 2)
    >>> x.shape, len(np.unique(y))
    ((60, 2), 3)
    """
    rng = np.random.default_rng(2_000 + seed)
    share = rng.lognormal(0.0, 0.7, n_groups)
    free = n_rows - LEAST_ROWS * n_groups
    y = np.repeat(np.arange(n_groups), LEAST_ROWS + rng.multinomial(free, share / share.sum()))
    centre = rng.normal(0.0, 1.0, (n_groups, n_columns))
    width = 0.27 * rng.lognormal(0.0, 0.35, (n_groups, n_columns))
    x = centre[y] + width[y] * rng.normal(size=(n_rows, n_columns))
    order = rng.permutation(n_rows)
    return StandardScaler().fit_transform(x[order]), y[order]


def ours(method: str, x: np.ndarray, clusters: int, seed: int, device: str) -> np.ndarray:
    """Cluster by one inference method, with its defaults."""
    return GMVAE(clusters, method=method, random_state=seed, device=device).fit_predict(x)


def mixture(shape: str, x: np.ndarray, clusters: int, seed: int, _: str) -> np.ndarray:
    """Cluster by scikit-learn's Gaussian mixture of three starts."""
    found = GaussianMixture(clusters, covariance_type=shape, n_init=N_INIT, random_state=seed)
    return found.fit_predict(x)


def kmeans(x: np.ndarray, clusters: int, seed: int, _: str) -> np.ndarray:
    """Cluster by k-means of three starts."""
    return KMeans(clusters, n_init=N_INIT, random_state=seed).fit_predict(x)


METHODS: dict[str, Callable[[np.ndarray, int, int, str], np.ndarray]] = {
    **{name: partial(ours, name) for name in ("exact", "concrete", "sparse", "marginal")},
    "mixture": partial(mixture, "full"),
    "diagonal": partial(mixture, "diag"),
    "kmeans": kmeans,
}


def lost(y: np.ndarray, found: np.ndarray) -> int:
    """Count the groups that no cluster has.

    >>> lost(np.array([0, 0, 0, 1]), np.array([2, 2, 2, 2]))
    1
    """
    table = np.zeros((y.max() + 1, found.max() + 1), dtype=int)
    np.add.at(table, (y, found), 1)
    owner = table.argmax(0)
    owned = [table[group, owner == group].sum() for group in range(len(table))]
    return int((np.array(owned) < table.sum(1) / 2).sum())


def main(argv: Sequence[str]) -> None:
    small = {"clusters": [2, 4], "rows": 200, "seeds": 1, "methods": ["exact", "mixture"]}
    parser = Parser("many-clusters", __doc__, small=small, full={"clusters": [2, 20, 200, 1000]})
    parser.add_argument("--clusters", nargs="+", type=at_least(2), default=[2, 10, 50, 200])
    parser.add_argument("--rows", type=at_least(2), default=10_000)
    parser.add_argument("--columns", type=at_least(1), default=8)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=at_least(1), default=5)
    arguments = parser.read(argv)
    report = Report("many-clusters", arguments)
    report.header("    K", "method   ", "adjusted Rand", "groups lost", "clusters used", "seconds")
    for clusters in arguments.clusters:
        for name in arguments.methods:
            row = measured(name, clusters, arguments)
            report.add(clusters=clusters, method=name, **row)
            report.line(
                clusters,
                name,
                spread(row["ari"], 3),
                f"{mean(row['lost']):.1f}",
                f"{mean(row['used']):.1f}",
                f"{mean(row['seconds']):.1f}",
            )
    report.close()


def measured(name: str, clusters: int, arguments: Namespace) -> dict[str, list[float]]:
    """Return the index, the groups lost, the clusters used and the seconds of each seed."""
    row: dict[str, list[float]] = {"ari": [], "lost": [], "used": [], "seconds": []}
    for seed in seeds_of(arguments):
        x, y = groups(seed, clusters, arguments.rows, arguments.columns)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the index shows what they would say
            found = METHODS[name](x, clusters, seed, arguments.device)
        row["seconds"].append(time.perf_counter() - started)
        row["ari"].append(float(adjusted_rand_score(y, found)))
        row["lost"].append(lost(y, found))
        row["used"].append(len(np.unique(found)))
    return row
