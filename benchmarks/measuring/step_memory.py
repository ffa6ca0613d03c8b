"""Measure the peak memory of a step, on a CPU in a process of its own.

That process is ``python -m benchmarks.measuring.step_memory '{"variant": ..., "case": {...}}'``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import torch

from benchmarks.measuring.memory import peak_bytes
from benchmarks.measuring.processes import environment
from benchmarks.measuring.step_case import StepCase
from benchmarks.measuring.step_variants import build_step, warmed_up
from benchmarks.measuring.timing import warm_up

__all__ = ["step_peak_bytes"]


def step_peak_bytes(variant: str, case: StepCase) -> int | None:
    """Return the bytes at a step's peak beyond the model's; None where that cannot be measured.

    On a CPU some steps are made first, so that the states of the optimizer and the compiler are
    left out. On CUDA these are included, because the graph that a first step records keeps its
    memory.
    """
    if case.device_type == "cuda":
        torch.compiler.reset()
        step = build_step(variant, case)
        return peak_bytes(lambda: warm_up(step, case.device), case.device)
    request = json.dumps({"variant": variant, "case": asdict(case)})
    command = [sys.executable, "-m", "benchmarks.measuring.step_memory", request]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    answer: int | None = json.loads(done.stdout.splitlines()[-1])
    return answer


def _main(request: str) -> None:
    values = json.loads(request)
    case = StepCase(**{**values["case"], "hidden": tuple(values["case"]["hidden"])})
    step, _ = warmed_up(values["variant"], case)
    with step.context():
        print(json.dumps(peak_bytes(step.run, case.device)))


if __name__ == "__main__":
    _main(sys.argv[1])
