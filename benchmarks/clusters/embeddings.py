"""Cluster embeddings by the defaults, beside other methods, and place new ones.

The sets are generated on the sphere: mixtures of von Mises-Fisher laws, with groups of one size and
of several, and rings, each a closed curve of its own, as the pictures of one turned object are. To
them come scikit-learn's digits, and the ``.npz`` files of a folder (``x`` and ``y``). All rows get
unit length. A fifth of them is left out, and placed after the fit. The figures are adjusted Rand
indices. All methods are told the number of clusters and are not tuned; every seed is counted.

    python -m benchmarks embeddings [FOLDER] --out benchmarks/results/embeddings.json
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.clusters.sphere import rings, unit, von_mises_fisher
from benchmarks.clusters.suites import read
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.summary import spread
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError

N_INIT, FOLLOWED = 10, 5
LEFT_OUT = 0.2


class Task(NamedTuple):
    """Hold one set of unit-length rows ``(N, D)`` and their groups ``(N,)``."""

    name: str
    x: np.ndarray
    y: np.ndarray


class Fitted(NamedTuple):
    """Hold the clusters of the rows of a fit, and those of the rows that were left out."""

    seen: np.ndarray
    new: np.ndarray


def ours(x: np.ndarray, new: np.ndarray, clusters: int, seed: int, device: str) -> Fitted:
    """Cluster by the defaults of the estimator."""
    fitted = GMVAE(clusters, kind="embedding", random_state=seed, device=device).fit(x)
    return Fitted(fitted.labels_, fitted.predict(new))


def table(x: np.ndarray, new: np.ndarray, clusters: int, seed: int, device: str) -> Fitted:
    """Cluster the same rows as a table of numbers."""
    fitted = GMVAE(clusters, kind="table", random_state=seed, device=device).fit(x)
    return Fitted(fitted.labels_, fitted.predict(new))


def kmeans(x: np.ndarray, new: np.ndarray, clusters: int, seed: int, _: str) -> Fitted:
    """Cluster by k-means of ten starts."""
    fitted = KMeans(clusters, n_init=N_INIT, random_state=seed).fit(x)
    return Fitted(fitted.labels_, fitted.predict(new))


def spherical_kmeans(x: np.ndarray, new: np.ndarray, clusters: int, seed: int, _: str) -> Fitted:
    """Cluster by the angle to the centre, ten starts (Dhillon and Modha 2001)."""
    rng, best = np.random.default_rng(seed), (-np.inf, x[:clusters])
    for _start in range(N_INIT):
        centre, before = x[rng.choice(len(x), clusters, replace=False)], None
        for _round in range(100):
            found = (x @ centre.T).argmax(1)
            if before is not None and (found == before).all():
                break
            before = found
            sums = np.stack([x[found == k].sum(0) for k in range(clusters)])
            centre = np.where(sums.any(1, keepdims=True), unit(sums), centre)
        best = max(best, ((x @ centre.T).max(1).sum(), centre), key=lambda pair: pair[0])
    return Fitted((x @ best[1].T).argmax(1), (new @ best[1].T).argmax(1))


def mixture(x: np.ndarray, new: np.ndarray, clusters: int, seed: int, _: str) -> Fitted:
    """Cluster by a mixture of diagonal Gaussians."""
    fitted = GaussianMixture(clusters, covariance_type="diag", random_state=seed).fit(x)
    return Fitted(fitted.predict(x), fitted.predict(new))


def spectral(x: np.ndarray, new: np.ndarray, clusters: int, seed: int, _: str) -> Fitted:
    """Cut the graph of ten nearest neighbours; a new row follows its five nearest."""
    cut = SpectralClustering(clusters, affinity="nearest_neighbors", random_state=seed)
    seen = cut.fit_predict(x)
    return Fitted(seen, KNeighborsClassifier(FOLLOWED).fit(x, seen).predict(new))


METHODS: dict[str, Callable[[np.ndarray, np.ndarray, int, int, str], Fitted]] = {
    "ours": ours,
    "table": table,
    "kmeans": kmeans,
    "spherical": spherical_kmeans,
    "mixture": mixture,
    "spectral": spectral,
}


def main(argv: Sequence[str]) -> None:
    small = {"seeds": 1, "methods": ["kmeans", "spectral"], "sets": ["one size"]}
    parser = Parser("embeddings", __doc__, small=small)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of .npz files with x and y")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--sets", nargs="+", help="sets to take, by parts of their names")
    parser.add_argument("--seeds", type=at_least(1), default=5)
    arguments = parser.read(argv)
    report = Report("embeddings", arguments)
    report.header("set               ", "K", *(f"{m:>13}" for m in arguments.methods))
    for task in tasks(arguments):
        rows = {name: measured(task, name, arguments) for name in arguments.methods}
        clusters = len(np.unique(task.y))
        for name, (seen, new, seconds) in rows.items():
            report.add(
                set=task.name, clusters=clusters, method=name, seen=seen, new=new, seconds=seconds
            )
        for part, index in (("seen", 0), ("new", 1)):
            shown = (spread(rows[m][:2][index], 3) for m in arguments.methods)
            report.line(f"{task.name}, {part}", clusters, *shown)
    report.close()


def tasks(arguments: Namespace) -> Iterator[Task]:
    """Make the generated sets, the same in every run, and read the others."""
    named = arguments.sets
    found = [task for task in _every(arguments.folder) if not named or _is_named(task.name, named)]
    if not found:
        raise InputError("no set has such a name: leave --sets out to see all")
    yield from found


def _is_named(name: str, parts: Sequence[str]) -> bool:
    return any(part in name for part in parts)


def _every(folder: Path | None) -> Iterator[Task]:
    rng = np.random.default_rng(0)
    yield Task("one size", *von_mises_fisher(rng, 64, 40, [200] * 8))
    yield Task("several sizes", *von_mises_fisher(rng, 256, 110, [600, 400, 250, 150, 100, 60, 40]))
    yield Task("rings", *rings(rng, 512, 20, 72))
    x, y = load_digits(return_X_y=True)
    yield Task("digits", unit(x), y)
    for path in sorted(folder.glob("*.npz")) if folder is not None else []:
        x, (y,) = read(path)
        yield Task(path.stem, unit(x), y)


def measured(task: Task, name: str, arguments: Namespace) -> tuple[list[float], list[float], float]:
    """Return the index of each seed for rows of the fit, for new ones, and the mean seconds."""
    clusters, started = len(np.unique(task.y)), time.perf_counter()
    seen, new = [], []
    for seed in seeds_of(arguments):
        order = np.random.default_rng(seed).permutation(len(task.x))
        left, kept = np.split(order, [int(LEFT_OUT * len(order))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of convergence: the index shows it
            found = METHODS[name](task.x[kept], task.x[left], clusters, seed, arguments.device)
        seen.append(float(adjusted_rand_score(task.y[kept], found.seen)))
        new.append(float(adjusted_rand_score(task.y[left], found.new)))
    return seen, new, (time.perf_counter() - started) / arguments.seeds
