"""Time the imports of the package and the help of its command line.

Each command runs in fresh processes, in turns (A B C A B C ...). A figure is the median of whole
processes, the interpreter's own start included; a ratio is the median over rounds. The aims are
that importing the package takes at most 1.3 times importing torch and Pyro, and the help under half
a second.

    python -m benchmarks import-time --out benchmarks/results/import_time.json
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import partial

import torch

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.processes import PROGRAM
from benchmarks.measuring.report import Report
from benchmarks.measuring.timing import Step, ratio, side_by_side, turns_of, typical

COMMANDS = {
    "python": ["-c", "pass"],
    "import torch, pyro": ["-c", "import torch, pyro"],
    "import pyro_gmvae": ["-c", "import pyro_gmvae"],
    "import pyro_gmvae.models": ["-c", "import pyro_gmvae.models"],
    "import pyro_gmvae.models, .training": [
        "-c",
        "import pyro_gmvae.models, pyro_gmvae.training",
    ],
    "from pyro_gmvae import GMVAE": ["-c", "from pyro_gmvae import GMVAE"],
    "pyro-gmvae --help": ["-c", PROGRAM, "--help"],
}
BASE = "import torch, pyro"
FULL = {"rounds": 25}


def main(argv: Sequence[str]) -> None:
    parser = Parser("import-time", __doc__, small={"rounds": 1}, full=FULL)
    parser.add_argument("--rounds", type=at_least(1), default=7, help="runs of each command")
    arguments = parser.read(argv)
    report = Report("import-time", arguments)
    steps = {name: Step(partial(run, words)) for name, words in COMMANDS.items()}
    for step in steps.values():
        step.run()  # fills the disk's cache and writes the .pyc files
    turns = {name: turns_of(step, torch.device("cpu")) for name, step in steps.items()}
    times = side_by_side(turns, rounds=arguments.rounds, n_steps=1, seconds=60.0)
    report.header(" " * max(map(len, COMMANDS)), "seconds", f"of {BASE}")
    for name in COMMANDS:
        seconds, share = typical(times[name]), ratio(times[name], times[BASE])
        report.add(command=name, seconds=seconds, of_torch_and_pyro=share)
        report.line(name, f"{seconds:.2f}", f"{share:.2f}")
    report.close()


def run(words: Sequence[str]) -> None:
    """Run Python with these arguments."""
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
