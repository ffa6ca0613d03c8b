"""Measure how long one waits for the clusters of a small table, by the defaults.

The first fit of a process is told apart from the median of the others. `select` tries 2 to 12
clusters, three trainings each.

    python -m benchmarks tables-wait --threads 1 --out benchmarks/results/tables_wait.json
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sklearn.datasets import load_iris, load_wine, make_blobs
from sklearn.mixture import GaussianMixture

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.tables.generators import bar
from pyro_gmvae import GMVAE
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.tasks.select import select_clusters


def iris() -> tuple[Any, int]:
    """Return 150 rows of four numbers."""
    return load_iris(return_X_y=True)[0], 3


def wine() -> tuple[Any, int]:
    """Return 178 rows of 13 numbers."""
    return load_wine(return_X_y=True)[0], 3


def blobs() -> tuple[Any, int]:
    """Return 1,000 rows of 20 numbers."""
    return make_blobs(1_000, 20, centers=8, cluster_std=3.0, random_state=0)[0], 8


def customers() -> tuple[Any, int]:
    """Return 440 rows of amounts, counts, categories and gaps."""
    return bar(0, n=440).frame, 5


TABLES: dict[str, Callable[[], tuple[Any, int]]] = {
    "iris": iris,
    "wine": wine,
    "blobs": blobs,
    "customers": customers,
}


def main(argv: Sequence[str]) -> None:
    small = {"repeats": 2, "tables": ["iris"], "no_select": True}
    parser = Parser("tables-wait", __doc__, small=small)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--repeats", type=at_least(2), default=5)
    parser.add_argument("--no-select", action="store_true", help="leave `select` out")
    arguments = parser.read(argv)
    report = Report("tables-wait", arguments)
    report.header(
        "table     ", "rows", "K", "first fit, s", "median, s", "mixture of ten starts, s"
    )
    for name in arguments.tables:
        x, clusters = TABLES[name]()
        ours = [seconds(GMVAE(clusters, random_state=i).fit, x) for i in range(arguments.repeats)]
        mixture = None
        if name != "customers":
            mixture = seconds(GaussianMixture(clusters, n_init=10, random_state=0).fit, x)
        report.add(table=name, rows=len(x), clusters=clusters, seconds=ours, mixture=mixture)
        shown = None if mixture is None else f"{mixture:.2f}"
        report.line(name, len(x), clusters, f"{ours[0]:.2f}", f"{median(ours[1:]):.2f}", shown)
    if not arguments.no_select:
        with TemporaryDirectory() as folder:
            path = Path(folder, "customers.csv")
            customers()[0].to_csv(path, index=False)
            settings = Settings.of(source=str(path))
            took = seconds(lambda x: select_clusters(settings, range(2, 13), f"{folder}/k"), None)
        report.set(select=took)
        report.say(f"select of 2 to 12 clusters for the customers: {took:.0f} s")
    report.close()


def seconds(call: Callable[[Any], Any], x: Any) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the time is asked for, not the clusters
        call(x)
    return time.perf_counter() - started
