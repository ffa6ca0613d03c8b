"""Measure what stored intermediate results do to the time of compilation and of a step.

On a CPU a compiled graph stores each intermediate result that is read twice or is long to compute
(`pyro_gmvae.inference.capture`). Torch's own limits compute it anew in each kernel that reads it.
Both are measured in turns, without torch's caches of compiled graphs. Compiling is the first epoch
less a later one; the table and its network are those of `tables-step`, with batches of 256.

    python -m benchmarks compilation --threads 1 --out benchmarks/results/compilation.json
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from math import ceil
from pathlib import Path
from statistics import median

from torch._inductor import config

from benchmarks.measuring.graph_options import without_cpu_options
from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.tables.step import drawn, epochs_of, planned

SMALL = {"rows": 400, "rounds": 1, "methods": ["marginal"], "epochs": 2}
CLUSTERS = 5


def computed_anew() -> AbstractContextManager[object]:
    return without_cpu_options("realize_opcount_threshold", "realize_reads_threshold")


WAYS = {"stored": nullcontext, "computed anew": computed_anew}


def main(argv: Sequence[str]) -> None:
    parser = Parser("compilation", __doc__, small=SMALL)
    parser.add_argument("--methods", nargs="+", default=["concrete", "sparse"])
    parser.add_argument("--rows", type=at_least(100), default=20_000)
    parser.add_argument("--batch", type=at_least(1), default=256)
    parser.add_argument("--epochs", type=at_least(2), default=6)
    parser.add_argument("--rounds", type=at_least(1), default=3)
    arguments = parser.read(argv)
    report = Report("compilation", arguments)
    report.header("method  ", "way          ", "compiling, s", "a step, ms")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        drawn(arguments.rows, arguments.seed).to_csv(file, index=False)
        for method in arguments.methods:
            found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
            for _, way in product(range(arguments.rounds), WAYS):
                found[way].append(timed(file, method, way, arguments))
            for way, times in found.items():
                compiling, step = (median(each) for each in zip(*times, strict=True))
                report.add(
                    method=method,
                    way=way,
                    compiling_seconds=compiling,
                    step_seconds=step,
                    rounds=times,
                )
                report.line(method, f"{way:13}", f"{compiling:.1f}", f"{1000 * step:.2f}")
    report.close()


def timed(file: Path, method: str, way: str, arguments: Namespace) -> tuple[float, float]:
    """Train once; return the seconds of compiling and of a step."""
    with WAYS[way](), config.patch(force_disable_caches=True):
        first, *others = epochs_of(planned(file, method, "compiled", CLUSTERS, arguments))
    return first - median(others), median(others) / ceil(arguments.rows / arguments.batch)
