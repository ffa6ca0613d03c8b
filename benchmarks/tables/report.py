"""Measure how long the report of a large table takes, rules included, and its memory.

The table is that of `tables-step`, twice side by side, with other cells the second time. The model
is trained on few of the rows, for a report takes as long whatever it was trained on.

    python -m benchmarks tables-report --threads 1 --out benchmarks/results/tables_report.json

Beside other work the seconds of the processor say more than those of the clock. The peak is of the
whole process, the table and the libraries included.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence

import pandas as pd

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.measuring.resident_memory import resident_bytes
from benchmarks.tables.step import drawn
from pyro_gmvae import GMVAE
from pyro_gmvae.data import from_frame
from pyro_gmvae.report.html import html_of
from pyro_gmvae.report.report import make_report


def main(argv: Sequence[str]) -> None:
    small = {"rows": 300, "fitted": 200, "clusters": 3}
    parser = Parser("tables-report", __doc__, small=small)
    parser.add_argument("--rows", type=at_least(100), default=100_000)
    parser.add_argument("--fitted", type=at_least(100), default=5_000, help="training rows")
    parser.add_argument("--clusters", type=at_least(2), default=8, metavar="K")
    arguments = parser.read(argv)
    report = Report("tables-report", arguments)
    report.header("rows   ", "columns", "K", "seconds", "of the processor", "peak, GB", "page, MB")
    first, second = (drawn(arguments.rows, arguments.seed + i) for i in range(2))
    frame = pd.concat([first, second.add_suffix(" again")], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the time is asked for, not the clusters
        model = GMVAE(arguments.clusters, max_iter=1, random_state=0, device=arguments.device)
        fitted = model.fit(frame[: arguments.fitted]).fitted_
        data = fitted.conform(from_frame(frame, purpose="apply"))
        clock, processor = time.perf_counter(), time.process_time()
        page = html_of(make_report(fitted, data))
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
    peak = resident_bytes("VmHWM")
    row = {"rows": len(data), "columns": frame.shape[1], "clusters": arguments.clusters}
    report.add(**row, seconds=clock, processor_seconds=processor, peak_bytes=peak, page=len(page))
    gigabytes = None if peak is None else f"{peak / 1e9:.1f}"
    report.line(
        *row.values(), f"{clock:.0f}", f"{processor:.0f}", gigabytes, f"{len(page) / 1e6:.1f}"
    )
    report.close()
