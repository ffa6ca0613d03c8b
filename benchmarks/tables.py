"""Do the defaults find the groups of small tables, and does a regulariser help or harm?

Three well parted blobs of 100 rows each, three of 300, 60 and 20 rows, and scikit-learn's iris and
wine, clustered by the estimator with its defaults, by each method and each kind of move. The figure
is the adjusted Rand index with the known groups; no label is used before that, and every seed that
was run is in it.

    python benchmarks/tables.py --out benchmarks/results/tables.json
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.datasets import load_iris, load_wine, make_blobs
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae import GMVAE
from pyro_gmvae.benchmarks.report import Parser, Report, at_least, script
from pyro_gmvae.models import METHODS

MOVES = ("none", "adversarial", "resample")
CENTERS = [[0, 0], [8, 0], [0, 8]]


def blobs(sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    x, y, *_ = make_blobs(sizes, centers=CENTERS, random_state=0)
    return x, y


TABLES = {
    "blobs": lambda: blobs([100, 100, 100]),
    "unequal": lambda: blobs([300, 60, 20]),
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
}


def main(argv: Sequence[str] | None = None) -> None:
    small = {"seeds": 1, "epochs": 2, "tables": ["iris"], "methods": ["sparse"], "moves": ["none"]}
    parser = Parser(__doc__, small=small, full={"seeds": 10})
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--moves", nargs="+", default=list(MOVES), choices=list(MOVES))
    parser.add_argument("--seeds", type=at_least(1), default=3)
    parser.add_argument("--epochs", type=at_least(1), default=100)
    arguments = parser.read(argv)
    report = Report("tables", arguments)
    report.header("table   ", "method  ", "moves      ", "ARI of each seed", "seconds")
    for table in arguments.tables:
        x, y = TABLES[table]()
        for method in arguments.methods:
            for moves in arguments.moves:
                row = measured(x, y, method, moves, arguments)
                report.add(table=table, method=method, moves=moves, **row)
                found = " ".join(f"{value:.2f}" for value in row["ari"])
                report.line(table, method, moves, found, f"{row['seconds']:.0f}")
    report.close()


def measured(x: Any, y: Any, method: str, moves: str, arguments: Any) -> dict[str, Any]:
    """The index for each seed; a regularised training begins at k-means, as the plain one does."""
    started, indices = time.perf_counter(), []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        gmvae = GMVAE(
            3,
            method=method,
            regularize=moves,
            init_params="kmeans",
            max_iter=arguments.epochs,
            device=arguments.device,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of too few epochs, and of clusters: they are counted
            indices.append(float(adjusted_rand_score(y, gmvae.fit(x).labels_)))
    return {"ari": indices, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    script(main)
