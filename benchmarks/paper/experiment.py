"""Repeat the paper's experiment: the Concrete GMVAE's quality and time beside the exact one's.

Collier and Urdiales (2019, arXiv 1909.08994) trained a GMVAE on CIFAR-100 with 20 clusters in 47
hours and a Concrete GMVAE in under 6, without a significant loss of test log-likelihood. Here each
method is trained from the same start to its early stop on a held-out ELBO, and judged by the same
importance-sampled log-likelihood of the discrete model.

    python -m benchmarks paper --preset cpu --jobs 2 --data-dir data \
        --out benchmarks/results/paper_cpu.json
    python -m benchmarks paper --preset gpu --data-dir data --out benchmarks/results/paper_gpu.json

Each finished cell is a JSON file in the folder --cells, and the same command goes on where it
stopped, within a training too: ``timeout --signal=INT 450`` cuts it into slices. The table, the
JSON file --out and the picture of time against K beside it are made from all cells that are
finished. With --jobs, the cells that are only timed run first, one at a time.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring.finished_cells import add_cells_option, cells_folder, finished
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.processes import environment
from benchmarks.measuring.report import Report
from benchmarks.paper.run_cell import cell_file, run_cell
from benchmarks.paper.studies import PRESETS, Cell, cells_of, narrowed
from benchmarks.paper.summary_table import plot_times, summary, table
from benchmarks.paper.table_1 import comparisons, table_1
from pyro_gmvae.errors import InputError
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainingInterrupted


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "paper",
        __doc__,
        small={"preset": "small", "seeds": 1, "methods": ["exact", "concrete"]},
        full={"preset": "gpu"},
    )
    add_cells_option(parser)
    presets = [name for name in PRESETS if name != "small"]
    parser.add_argument("--preset", default="cpu", choices=presets)
    parser.add_argument("--data", nargs="+", help="only these data sets of the preset")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--clusters", nargs="+", type=at_least(2), metavar="K", help="only these K")
    parser.add_argument("--seeds", type=at_least(1), default=3, help="how many, from --seed on")
    parser.add_argument(
        "--only", choices=["times", "trainings"], help="run only cells that are timed, or trained"
    )
    parser.add_argument("--data-dir", default="data", help="folder of the image sets")
    parser.add_argument("--jobs", type=at_least(1), default=1, help="trainings at a time")
    parser.add_argument("--part", type=at_least(0), default=0, help=SUPPRESS)
    parser.add_argument("--of", type=at_least(1), default=1, help=SUPPRESS)
    parser.add_argument("--table", action="store_true", help="make the table, run nothing")
    arguments = parser.read(argv)
    studies = [
        s for s in PRESETS[arguments.preset] if not arguments.data or s.data in arguments.data
    ]
    if arguments.clusters:
        studies = [narrowed(study, arguments.clusters) for study in studies]
    cells = cells_of(studies, methods=arguments.methods, seeds=seeds_of(arguments))
    if arguments.only:
        cells = [cell for cell in cells if cell.timed == (arguments.only == "times")]
    folder = cells_folder("paper", arguments)
    report = Report("paper", arguments)

    if arguments.table:
        pass
    elif arguments.jobs > 1:
        # Nothing else may run on the machine while a cell is timed.
        work([cell for cell in cells if cell.timed], folder, arguments, report)
        share(arguments.jobs, argv)
    else:
        mine = [cell for i, cell in enumerate(cells) if i % arguments.of == arguments.part]
        work(mine, folder, arguments, report)
    if arguments.of > 1:
        return
    results = [found for cell in cells if (found := result_of(cell, folder))]
    rows = summary(results)
    beside_exact = comparisons(results, {study.data: study.margin for study in studies})
    report.set(
        finished=len(results),
        n_cells=len(cells),
        comparisons=beside_exact,
        results=rows,
        cells=results,
    )
    if arguments.out is not None:
        plot_times(rows, arguments.out.with_suffix(".png"))
    report.say(f"{table_1(beside_exact)}\n{table(rows)}")
    report.say(f"{len(results)} of {len(cells)} cells are finished, in {folder}.")
    if len(results) < len(cells):
        report.say("The same command goes on.")
    report.close()


def result_of(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """Read the result of a cell; None if the cell is still to be run."""
    return finished(cell_file(cell, folder), {"cell": cell.to_dict()})


def work(cells: Sequence[Cell], folder: Path, arguments: Namespace, report: Report) -> None:
    """Run the cells that are not finished, until a signal comes."""
    for i, cell in enumerate(cells, 1):
        if result_of(cell, folder) is None:
            report.say(f"[{i}/{len(cells)}] {cell.name}")
            try:
                run_cell(cell, folder, arguments)
            except TrainingInterrupted:
                return


def share(jobs: int, argv: Sequence[str]) -> None:
    """Run the cells in several processes of one thread each; a signal reaches all of them."""
    command = [sys.executable, "-m", "benchmarks", "paper", *argv, "--jobs", "1"]
    command += ["--threads", "1", "--of", str(jobs)]
    started = [
        subprocess.Popen([*command, "--part", str(part)], env=environment({"OMP_NUM_THREADS": "1"}))
        for part in range(jobs)
    ]
    try:
        failed = [process for process in started if process.wait()]
    except KeyboardInterrupt:
        for process in started:
            process.send_signal(signal.SIGINT)
            process.wait()
        return
    if failed:
        raise InputError("a process ended early: see its error above, then run this again")
