"""The peak memory of one cell's step; on the CPU in a process of its own, undisturbed.

python -m benchmarks.cell_memory '{"variant": "ours", "cell": {...}}'
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import torch

from benchmarks.cells import Cell
from benchmarks.memory import peak_bytes
from benchmarks.timing import warm_up
from benchmarks.variants import build_step, warmed_up

__all__ = ["cell_peak"]


def cell_peak(variant: str, cell: Cell) -> int | None:
    """Bytes at the peak of a step, beyond the model's; None where they cannot be measured.

    On the CPU the optimizer's state and a compiler's are left out too: a step has been made.
    On CUDA, where the graphs that a first step captures keep its memory, they are in it.
    """
    if cell.device_type == "cuda":
        torch.compiler.reset()
        step = build_step(variant, cell)
        return peak_bytes(lambda: warm_up(step, cell.device), cell.device)
    request = json.dumps({"variant": variant, "cell": asdict(cell)})
    command = [sys.executable, "-m", "benchmarks.cell_memory", request]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: int | None = json.loads(done.stdout.splitlines()[-1])
    return answer


def _main(request: str) -> None:
    values = json.loads(request)
    cell = Cell(**{**values["cell"], "hidden": tuple(values["cell"]["hidden"])})
    step, _ = warmed_up(values["variant"], cell)
    with step.context():
        print(json.dumps(peak_bytes(step.run, cell.device)))


if __name__ == "__main__":
    _main(sys.argv[1])
