"""Measure rows per second and peak memory of placing the rows of large tables.

A model of 8 clusters is trained on 100,000 rows of a generated mixed table of 20 columns. Then the
rows of larger tables are read, placed and written in pieces as by `predict`, each time in a process
of its own that is held to one core or two. At the end q(y|x) alone is computed in float32, in
bfloat16 (autocast) and by a compiled graph, on one core.

    python -m benchmarks prediction --rows 100000 1000000 --folder DIR --out prediction.json
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow
import torch
from pyarrow import csv as arrow_csv
from pyarrow import parquet
from torch import Tensor

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.scale.generator import CLUSTERS, write_table
from benchmarks.scale.measured import in_process
from pyro_gmvae.data.shards import conforming_rows
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs import load
from pyro_gmvae.serving.posterior import cluster_posterior

MIB = 2**20
TRAINED_ON = 100_000
SMALL = {"rows": [20_000], "trained_on": 5_000, "cores": [1], "repeats": 1}
FULL = {"rows": [100_000, 1_000_000, 5_000_000, 20_000_000]}
KINDS = ("parquet", "csv")
PIECES = 4  # of 65,536 rows, by which the variants are compared


def main(argv: Sequence[str]) -> None:
    parser = Parser("prediction", __doc__, small=SMALL, full=FULL)
    parser.add_argument("--rows", nargs="+", type=at_least(1_000), default=[100_000, 1_000_000])
    parser.add_argument(
        "--kinds", nargs="+", default=["parquet", "csv"], choices=["parquet", "csv"]
    )
    parser.add_argument("--cores", nargs="+", type=at_least(1), default=[1, 2])
    parser.add_argument("--trained-on", type=at_least(1_000), default=TRAINED_ON)
    parser.add_argument("--repeats", type=at_least(1), default=3, help="of the variants")
    parser.add_argument("--run", help="a run on such a table; default: one is trained")
    parser.add_argument("--folder", type=Path, help="where the tables are kept; default: nowhere")
    arguments = parser.read(argv)
    report = Report("prediction", arguments)
    with TemporaryDirectory() as temporary:
        folder, run = arguments.folder or Path(temporary), arguments.run or f"{temporary}/run"
        trained_on = folder / f"{arguments.trained_on}"
        write_table(trained_on, arguments.trained_on, seed=arguments.seed)
        if arguments.run is None:
            in_process("training", trained_on, batch_size=1_024, clusters=CLUSTERS, out=run)
        report.header("file   ", "rows", "cores", "rows/s", "CPU us/row", "peak, MiB", "imports")
        for rows in arguments.rows:
            table = folder / f"{rows}"
            paths = write_table(table, rows, seed=arguments.seed)
            for kind in arguments.kinds:
                source = table if kind == "parquet" else _as_text(paths, folder / f"{rows}.csv")
                for cores in arguments.cores:
                    _place(report, source, kind, rows, cores, run, f"{temporary}/placed.{kind}")
        _variants(report, load(run), trained_on, arguments)
    report.close()


def _as_text(paths: Sequence[Path], text: Path) -> Path:
    """Write a table as text, a row group at a time, unless it is there."""
    if text.is_file():
        return text
    half = text.with_suffix(".half")
    with arrow_csv.CSVWriter(half, parquet.read_schema(paths[0])) as writer:
        for path in paths:
            with parquet.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group))
    half.rename(text)
    return text


def _place(
    report: Report, source: Path, kind: str, rows: int, cores: int, run: str, output: str
) -> None:
    for path in source.iterdir() if source.is_dir() else [source]:
        path.read_bytes()  # into the page cache
    figures = in_process("placing", source, run=run, output=output, cores=cores)
    report.add(kind=kind, table_rows=rows, cores=cores, **figures)
    report.line(
        kind,
        rows,
        cores,
        f"{figures['rows'] / figures['seconds']:,.0f}",
        f"{1e6 * figures['cpu_seconds'] / figures['rows']:.2f}",
        f"{figures['peak_bytes'] / MIB:,.0f}",
        f"{figures['import_bytes'] / MIB:,.0f}",
    )


def _variants(report: Report, fitted: FittedModel, table: Path, arguments: Namespace) -> None:
    """Compare ways to compute q(y|x) of the same rows, reading and writing left out."""
    torch.set_num_threads(1)
    pyarrow.set_cpu_count(1)
    schema = fitted.encoding.schema
    assert schema is not None
    read = conforming_rows(table, schema, takes_gaps=True)
    pieces = [torch.from_numpy(piece.x) for piece in islice(read, PIECES)]
    variants: dict[str, Callable[[Tensor], Tensor]] = {
        "float32": partial(cluster_posterior, fitted),
        "bfloat16": partial(_bfloat16, fitted),
        "compiled": _compiled(fitted, pieces[0]),
    }
    report.header("q(y|x)  ", "rows/s", "largest difference", "other cluster")
    exact = torch.cat([variants["float32"](x) for x in pieces])
    for name, posterior in variants.items():
        fastest, found = float("inf"), exact
        for _ in range(arguments.repeats):
            began = time.perf_counter()
            found = torch.cat([posterior(x) for x in pieces]).float()
            fastest = min(fastest, time.perf_counter() - began)
        difference = float((found - exact).abs().max())
        changed = float((found.argmax(-1) != exact.argmax(-1)).double().mean())
        rate = len(exact) / fastest
        report.add(variant=name, rows_per_second=rate, difference=difference, changed=changed)
        report.line(name, f"{rate:,.0f}", f"{difference:.1e}", f"{changed:.1e}")


def _bfloat16(fitted: FittedModel, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return cluster_posterior(fitted, x)


def _compiled(fitted: FittedModel, x: Tensor, size: int = 1_024) -> Callable[[Tensor], Tensor]:
    """Compile the encoding and the networks for whole batches; the last one is left as it is."""

    @torch.no_grad()
    def posterior(batch: Tensor) -> Tensor:
        return fitted.gmvae.responsibilities(fitted.encoding.encode_mean(batch))

    fast = torch.compile(posterior, dynamic=False)

    def placed(x: Tensor) -> Tensor:
        batches = x.split(size)
        return torch.cat([(fast if len(b) == size else posterior)(b) for b in batches])

    placed(x)
    return placed
