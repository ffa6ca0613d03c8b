"""The paper's experiment: does the Concrete GMVAE keep the exact one's quality at a constant price?

Collier and Urdiales (2019, arXiv 1909.08994) trained a GMVAE on CIFAR-100 with 20 clusters in 47
hours and a Concrete GMVAE in under 6, without a significant loss of test log-likelihood. Here each
method is trained from the same start to its early stop on a held-out ELBO, and judged by the same
importance-sampled log-likelihood of the discrete model.

    python benchmarks/paper.py --preset cpu --jobs 2 --data-dir data --out results/paper-cpu
    python benchmarks/paper.py --preset gpu --data-dir data --out results/paper-gpu

Each finished cell is a JSON file in the folder --out, and a call goes on where the last one
stopped, within a training too: cut it into slices by ``timeout --signal=INT 450``. The table
(table.md), the summary (summary.json) and the plot of time against K (time.png) are made from all
cells that are finished. With --jobs, cells whose time alone is measured come first, one at a time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.paper_cells import PRESETS, Cell, cells_of, narrowed
from benchmarks.paper_run import finished, run_cell
from benchmarks.paper_table import plot_times, summary, table
from benchmarks.report import Parser, at_least, script, write_json
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainingInterrupted


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(
        __doc__,
        small={"preset": "small", "seeds": 1, "methods": ["exact", "concrete"]},
        full={"preset": "gpu"},
    )
    parser.set_defaults(out=Path("paper"))
    presets = [name for name in PRESETS if name != "small"]
    parser.add_argument("--preset", default="cpu", choices=presets)
    parser.add_argument("--data", nargs="+", help="only these data sets of the preset")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--clusters", nargs="+", type=at_least(2), metavar="K", help="only these K")
    parser.add_argument("--seeds", type=at_least(1), default=3, help="how many, from --seed on")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--jobs", type=at_least(1), default=1, help="trainings at a time")
    parser.add_argument("--part", type=at_least(0), default=0, help=SUPPRESS)
    parser.add_argument("--of", type=at_least(1), default=1, help=SUPPRESS)
    parser.add_argument("--table", action="store_true", help="make the table, run nothing")
    arguments = parser.read(argv)
    if arguments.out.suffix:
        raise InputError(f"--out is a folder here, for a file a cell: not {arguments.out}")
    studies = [
        s for s in PRESETS[arguments.preset] if not arguments.data or s.data in arguments.data
    ]
    if arguments.clusters:
        studies = [narrowed(study, arguments.clusters) for study in studies]
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    cells = cells_of(studies, methods=arguments.methods, seeds=seeds)
    talks = not (arguments.quiet or arguments.json)

    if arguments.jobs > 1 and not arguments.table:
        arguments.table = True
        work([cell for cell in cells if cell.timed], arguments, talks)  # alone on the machine
        share(arguments.jobs, list(argv or sys.argv[1:]))
    else:
        shared = [cell for i, cell in enumerate(cells) if i % arguments.of == arguments.part]
        work([] if arguments.table else shared, arguments, talks)
    if arguments.of > 1:
        return
    results = [found for cell in cells if (found := finished(cell, arguments.out))]
    values = {
        "benchmark": "paper",
        "machine": describe(),
        "settings": {"preset": arguments.preset, "size": arguments.size},
        "finished": len(results),
        "cells": len(cells),
        "results": summary(results),
    }
    write_json(arguments.out / "summary.json", values)
    text = table(values["results"])
    with written_whole(arguments.out / "table.md") as partial:
        partial.write_text(text)
    plot_times(values["results"], arguments.out / "time.png")
    if talks:
        print(f"{text}\n{len(results)} of {len(cells)} cells are finished, in {arguments.out}.")
        if len(results) < len(cells):
            print("The same command goes on.")


def work(cells: Sequence[Cell], arguments: Namespace, talks: bool) -> None:
    """Run those that are not finished, until a signal comes."""
    for i, cell in enumerate(cells, 1):
        if finished(cell, arguments.out) is None:
            if talks:
                print(f"[{i}/{len(cells)}] {cell.name}", flush=True)
            try:
                run_cell(cell, arguments.out, arguments)
            except TrainingInterrupted:
                return


def share(jobs: int, argv: Sequence[str]) -> None:
    """The cells in as many processes at a time, each of one thread; a signal reaches all."""
    command = [sys.executable, "-m", "benchmarks.paper", *argv, "--jobs", "1"]
    command += ["--threads", "1", "--of", str(jobs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([*command, "--part", str(part)], env=environment) for part in range(jobs)
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


if __name__ == "__main__":
    script(main)
