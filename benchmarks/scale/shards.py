"""Measure rows per second and peak memory of tables that are read in shards.

A mixed table of 20 columns is written to --folder, unless it is there, in row groups of 131,072
rows. Then its rows are read from a warm page cache as a training reads them (reading), looked at as
before a training (surveying), and trained on for one epoch (training). Each is a process of its
own, so that the peak of its memory is its own.

    python -m benchmarks shards --rows 1000000 5000000 --folder DIR --out shards.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring.options import Parser, at_least, hidden_sizes
from benchmarks.measuring.report import Report
from benchmarks.scale.generator import CLUSTERS, write_table
from benchmarks.scale.measured import HIDDEN, LATENT_DIM, in_process

MIB = 2**20
USES = ("reading", "surveying", "training")
SMALL = {"rows": [20_000], "uses": list(USES), "batch_size": 256}


def main(argv: Sequence[str]) -> None:
    parser = Parser("shards", __doc__, small=SMALL, full={"rows": [1_000_000, 20_000_000]})
    parser.add_argument("--rows", nargs="+", type=at_least(1_000), default=[1_000_000])
    parser.add_argument("--uses", nargs="+", default=list(USES), choices=list(USES))
    parser.add_argument("--batch-size", type=at_least(1), default=1_024)
    parser.add_argument("--clusters", type=at_least(1), default=CLUSTERS)
    parser.add_argument("--hidden", type=hidden_sizes, default=HIDDEN)
    parser.add_argument("--latent-dim", type=at_least(1), default=LATENT_DIM)
    parser.add_argument("--folder", type=Path, help="where the tables are kept; default: nowhere")
    arguments = parser.read(argv)
    report = Report("shards", arguments)
    report.header("use      ", "rows", "rows/s", "CPU us/row", "peak, MiB", "of it imports")
    with TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for rows in arguments.rows:
            table = folder / f"{rows}"
            for path in write_table(table, rows, seed=arguments.seed):
                path.read_bytes()  # into the page cache
            for use in arguments.uses:
                figures = in_process(
                    use,
                    table,
                    batch_size=arguments.batch_size,
                    clusters=arguments.clusters,
                    hidden=arguments.hidden,
                    latent_dim=arguments.latent_dim,
                    out=f"{temporary}/run",
                )
                report.add(use=use, table_rows=rows, **figures)
                report.line(
                    use,
                    rows,
                    f"{figures['rows'] / figures['seconds']:,.0f}",
                    f"{1e6 * figures['cpu_seconds'] / figures['rows']:.2f}",
                    f"{figures['peak_bytes'] / MIB:,.0f}",
                    f"{figures['import_bytes'] / MIB:,.0f}",
                )
    report.close()
