"""Time the commands `train`, `evaluate` and `predict` on four tables, told nothing but the file.

Each command is a process of its own, from its start to its end, and the figure is the median of
several rounds. Beside other work the seconds of the processor say more than those of the clock. How
fast the machine is can be told by ten million additions in Python, timed in each round.

    python -m benchmarks tables-commands --data-dir tables \\
        --out benchmarks/results/tables_commands.json
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.processes import PROGRAM, environment
from benchmarks.measuring.report import Report
from benchmarks.tables.real_tables import CLUSTERED, file_of
from benchmarks.tables.wait import customers

COMMANDS = ("train", "evaluate", "predict")
GENERATED = "customers"
ADDITIONS = 10_000_000


class Seconds(NamedTuple):
    """Hold how long a process took by the clock, and how long it kept processors busy."""

    clock: float
    processor: float


def main(argv: Sequence[str]) -> None:
    small = {"tables": [GENERATED], "rounds": 1, "epochs": 1}
    parser = Parser("tables-commands", __doc__, small=small, full={"rounds": 5})
    parser.add_argument("--tables", nargs="+", default=CLUSTERED, choices=[*CLUSTERED, GENERATED])
    parser.add_argument("--data-dir", type=Path, default=Path("data/tables"))
    parser.add_argument("--rounds", type=at_least(1), default=3, help="runs of each command")
    parser.add_argument("--epochs", type=at_least(1), help="of training; default: the program's")
    arguments = parser.read(argv)
    report = Report("tables-commands", arguments)
    report.header("table     ", *(f"{name}, s" for name in COMMANDS), "all, s", "of the processor")
    training = [] if arguments.epochs is None else ["--epochs", str(arguments.epochs)]
    threads = {} if arguments.threads is None else {"OMP_NUM_THREADS": str(arguments.threads)}
    additions: list[float] = []
    with TemporaryDirectory() as folder:
        files = {name: table_file(name, arguments.data_dir, folder) for name in arguments.tables}
        for name, file in files.items():
            rounds: list[dict[str, Seconds]] = []
            for _ in range(arguments.rounds):
                additions.append(seconds_of_additions())
                rounds.append(timed(file, training, threads))
            took = {command: middle(r[command] for r in rounds) for command in COMMANDS}
            clocks = {command: seconds.clock for command, seconds in took.items()}
            clock, processor = middle(
                Seconds(*map(sum, zip(*r.values(), strict=True))) for r in rounds
            )
            report.add(table=name, **clocks, all=clock, processor_seconds=processor)
            report.line(name, *(f"{s:.0f}" for s in (*clocks.values(), clock, processor)))
    report.set(additions=median(additions))
    report.say(f"Ten million additions in Python: {median(additions):.2f} s.")
    report.close()


def middle(several: Iterable[Seconds]) -> Seconds:
    """Return the medians."""
    clocks, processors = zip(*several, strict=True)
    return Seconds(median(clocks), median(processors))


def table_file(name: str, tables: Path, folder: str) -> Path:
    """Return the file of a table; generated customers are written to the folder."""
    if name != GENERATED:
        return file_of(name, tables).resolve()
    path = Path(folder, "customers.csv")
    customers()[0].to_csv(path, index=False)
    return path


def timed(table: Path, training: Sequence[str], threads: dict[str, str]) -> dict[str, Seconds]:
    """Run the commands one after another, in a folder that is removed, and time each."""
    with TemporaryDirectory() as folder:
        words = {
            "train": ["train", str(table), "--out", "run", *training],
            "evaluate": ["evaluate", "run", str(table)],
            "predict": ["predict", "run", str(table), "-o", "assignments.csv"],
        }
        return {name: run(words[name], Path(folder), threads) for name in COMMANDS}


def run(words: Sequence[str], folder: Path, threads: dict[str, str]) -> Seconds:
    """Run a command of the program."""
    clock, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        check=True,
        cwd=folder,
        env=environment(threads),
        stdout=subprocess.DEVNULL,
    )
    clock, after = time.perf_counter() - clock, os.times()
    user = after.children_user - before.children_user
    return Seconds(clock, user + after.children_system - before.children_system)


def seconds_of_additions() -> float:
    """Time ten million additions in Python, on one core."""
    clock, total = time.perf_counter(), 0
    for i in range(ADDITIONS):
        total += i
    return time.perf_counter() - clock
