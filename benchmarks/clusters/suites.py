"""Cluster the sets of public suites by the defaults, beside other methods.

A folder holds sets as Gagolewski's `clustering-data-v1` keeps them (``BATTERY/NAME.data.gz`` with
``NAME.labels0.gz``, ``NAME.labels1.gz``, ...; label 0 is noise), or ``.npz`` files with ``x`` and
``y`` (or ``X``, ``data`` and ``labels``). Each set is clustered into each number of groups that a
labeling of it has. The figure is the adjusted Rand index with the best of the labelings of that
number, noise left out. All methods see standardised columns, are told the number of clusters, and
are not tuned; every seed is counted. Labels serve the index only.

    python -m benchmarks suites FOLDER --out benchmarks/results/suites.json
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.summary import spread
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError

N_INIT = 10
LATENT = 10  # of the deep rival, which is given no more dimensions than columns


class Task(NamedTuple):
    """Hold one set and the number of groups it is to be clustered into.

    Attributes:
        name: battery and set.
        x: rows, standardised.
        labelings: the reference labels with that number of groups, 0 for noise.
        clusters: the number of groups.
    """

    name: str
    x: np.ndarray
    labelings: list[np.ndarray]
    clusters: int


def ours(x: np.ndarray, clusters: int, seed: int, arguments: Namespace) -> np.ndarray:
    """Cluster by the defaults of the estimator."""
    return GMVAE(clusters, random_state=seed, device=arguments.device).fit_predict(x)


def kmeans(x: np.ndarray, clusters: int, seed: int, _: Namespace) -> np.ndarray:
    """Cluster by k-means of ten starts."""
    return KMeans(clusters, n_init=N_INIT, random_state=seed).fit_predict(x)


def mixture(x: np.ndarray, clusters: int, seed: int, _: Namespace) -> np.ndarray:
    """Cluster by a Gaussian mixture of ten starts, with scikit-learn's other defaults."""
    return GaussianMixture(clusters, n_init=N_INIT, random_state=seed).fit_predict(x)


def spectral(x: np.ndarray, clusters: int, seed: int, _: Namespace) -> np.ndarray:
    """Cluster the graph of ten nearest neighbours, with scikit-learn's other defaults."""
    cut = SpectralClustering(clusters, affinity="nearest_neighbors", random_state=seed)
    return cut.fit_predict(x)


def hdbscan(x: np.ndarray, clusters: int, seed: int, _: Namespace) -> np.ndarray:
    """Cluster by density, with scikit-learn's defaults; rows that it leaves out are one cluster."""
    return HDBSCAN(copy=True).fit_predict(x)


def vade(x: np.ndarray, clusters: int, seed: int, _: Namespace) -> np.ndarray:
    """Cluster by ClustPy's VaDE, with its defaults, which want columns between 0 and 1."""
    from clustpy.deep import VaDE

    fitted = VaDE(clusters, embedding_size=min(LATENT, x.shape[1]), random_state=seed)
    return fitted.fit_predict(MinMaxScaler().fit_transform(x).astype(np.float32))


METHODS: dict[str, Callable[[np.ndarray, int, int, Namespace], np.ndarray]] = {
    "ours": ours,
    "kmeans": kmeans,
    "mixture": mixture,
    "spectral": spectral,
    "hdbscan": hdbscan,
    "vade": vade,
}


def main(argv: Sequence[str]) -> None:
    small = {"seeds": 1, "most_rows": 300, "methods": ["ours", "mixture"]}
    parser = Parser("suites", __doc__, small=small)
    parser.add_argument("folder", type=Path, help="folder of the sets")
    parser.add_argument("--methods", nargs="+", default=list(METHODS)[:-1], choices=list(METHODS))
    parser.add_argument("--sets", nargs="+", help="sets to take, by parts of their names")
    parser.add_argument("--seeds", type=at_least(1), default=5)
    parser.add_argument(
        "--most-rows", type=at_least(2), default=10_000, help="leave larger sets out"
    )
    arguments = parser.read(argv)
    report = Report("suites", arguments)
    report.header("set                  ", "K", *(f"{m:>13}" for m in arguments.methods))
    rows = []
    for task in tasks(arguments):
        row = {name: measured(task, name, arguments) for name in arguments.methods}
        for name, (indices, seconds) in row.items():
            report.add(
                set=task.name, clusters=task.clusters, method=name, ari=indices, seconds=seconds
            )
        report.line(task.name, task.clusters, *(spread(row[m][0], 3) for m in arguments.methods))
        rows.append(row)
    means = {m: mean(mean(row[m][0]) for row in rows) for m in arguments.methods}
    report.set(means=means)
    report.line("mean", "", *(f"{means[m]:.3f}" for m in arguments.methods))
    report.close()


def tasks(arguments: Namespace) -> list[Task]:
    """Read every set of the folder."""
    found = []
    names = sorted(arguments.folder.rglob("*.data.gz")) + sorted(arguments.folder.rglob("*.npz"))
    for path in names:
        name = f"{path.parent.name}/{path.name.partition('.')[0]}"
        if arguments.sets and not any(part in name for part in arguments.sets):
            continue
        x, labelings = read(path)
        if len(x) > arguments.most_rows:
            continue
        points = StandardScaler().fit_transform(x)
        for clusters in sorted({int(labels.max()) for labels in labelings}):
            fitting = [labels for labels in labelings if labels.max() == clusters]
            found.append(Task(name, points, fitting, clusters))
    if not found:
        raise InputError(f"there is no set in {arguments.folder}: name a folder of a suite")
    return found


def read(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Read the rows of a set and its labelings, counted from 1."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as held:
            x = next(held[n] for n in ("x", "X", "data") if n in held)
            y = next(held[n] for n in ("y", "Y", "labels") if n in held)
        return x.reshape(len(x), -1).astype(float), [np.unique(y, return_inverse=True)[1] + 1]
    stem = path.name.removesuffix(".data.gz")
    others = sorted(path.parent.glob(f"{stem}.labels*.gz"))
    return np.loadtxt(path, ndmin=2), [np.loadtxt(o, dtype=int) for o in others]


def measured(task: Task, name: str, arguments: Namespace) -> tuple[list[float], float]:
    """Return the index of each seed, and the mean seconds of a fit."""
    started, indices = time.perf_counter(), []
    for seed in seeds_of(arguments):
        with warnings.catch_warnings():
            # The index shows what warnings of convergence and of a graph in pieces would say.
            warnings.simplefilter("ignore")
            found = METHODS[name](task.x, task.clusters, seed, arguments)
        indices.append(
            max(
                float(adjusted_rand_score(labels[labels > 0], found[labels > 0]))
                for labels in task.labelings
            )
        )
    return indices, (time.perf_counter() - started) / arguments.seeds
