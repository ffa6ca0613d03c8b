"""Cluster small tables by the defaults, with and without a regulariser.

The tables are three well separated blobs of 100 rows each, three of 300, 60 and 20 rows, and
scikit-learn's iris and wine. The estimator clusters them with its defaults, by each method and each
kind of augmentation (a "move"). Beside it stand k-means and a Gaussian mixture of the columns,
which a training may start from. The figure is the adjusted Rand index with the known groups; labels
are used for the index only, and every seed that was run is counted.

    python -m benchmarks small-tables --out benchmarks/results/small_tables.json
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.datasets import load_iris, load_wine, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from pyro_gmvae import GMVAE
from pyro_gmvae.fitting.starts.sklearn_fits import kmeans, mixture
from pyro_gmvae.models import METHODS

MOVES = ("none", "adversarial", "resample")
CENTERS = [[0, 0], [8, 0], [0, 8]]


def blobs(sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw three blobs of these sizes, with the blob of each row."""
    x, y, *_ = make_blobs(sizes, centers=CENTERS, random_state=0)
    return x, y


TABLES = {
    "blobs": lambda: blobs([100, 100, 100]),
    "unequal": lambda: blobs([300, 60, 20]),
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
}


def main(argv: Sequence[str]) -> None:
    small = {"seeds": 1, "epochs": 2, "tables": ["iris"], "methods": ["sparse"], "moves": ["none"]}
    parser = Parser("small-tables", __doc__, small=small, full={"seeds": 10})
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--moves", nargs="+", default=list(MOVES), choices=list(MOVES))
    parser.add_argument("--seeds", type=at_least(1), default=3)
    parser.add_argument("--epochs", type=at_least(1), default=100)
    arguments = parser.read(argv)
    report = Report("small-tables", arguments)
    report.header("table   ", "method  ", "moves      ", "ARI of each seed", "seconds")
    for table in arguments.tables:
        x, y = TABLES[table]()
        for name, clustering in {"kmeans": kmeans, "mixture": mixture}.items():
            row = placed(x, y, clustering, arguments)
            report.add(table=table, method=name, moves=None, **row)
            report.line(table, name, None, *shown(row))
        for method in arguments.methods:
            for moves in arguments.moves:
                row = measured(x, y, method, moves, arguments)
                report.add(table=table, method=method, moves=moves, **row)
                report.line(table, method, moves, *shown(row))
    report.close()


def shown(row: dict[str, Any]) -> tuple[str, str]:
    """Write the figures for the table."""
    return " ".join(f"{value:.2f}" for value in row["ari"]), f"{row['seconds']:.0f}"


def placed(x: Any, y: Any, clustering: Any, arguments: Namespace) -> dict[str, Any]:
    """Cluster the standardised columns; return the index of each seed."""
    started, points = time.perf_counter(), StandardScaler().fit_transform(x)
    fits = [clustering(points, 3, seed=seed, n_init=10) for seed in seeds_of(arguments)]
    indices = [float(adjusted_rand_score(y, fitted.predict(points))) for fitted in fits]
    return {"ari": indices, "seconds": time.perf_counter() - started}


def measured(x: Any, y: Any, method: str, moves: str, arguments: Namespace) -> dict[str, Any]:
    """Train the estimator; return the index of each seed.

    A regularised training starts from the same mixture as the plain one.
    """
    started, indices = time.perf_counter(), []
    for seed in seeds_of(arguments):
        gmvae = GMVAE(
            3,
            method=method,
            regularize=moves,
            init_params="mixture",
            max_iter=arguments.epochs,
            device=arguments.device,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # The index shows what warnings of too few epochs and of bad clusters would say.
            warnings.simplefilter("ignore")
            indices.append(float(adjusted_rand_score(y, gmvae.fit(x).labels_)))
    return {"ari": indices, "seconds": time.perf_counter() - started}
