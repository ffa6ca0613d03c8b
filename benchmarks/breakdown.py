"""Where a step's time goes, by kinds of work, as torch's profiler sees it."""

from __future__ import annotations

import os
import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.timing import Step, warm_up

__all__ = ["KINDS", "breakdown"]

KINDS = ("matrix products", "optimizer", "random numbers", "other work", "idle")
# Parts of the names of kernels (CUDA) and of torch's operations (CPU).
MARKS = {
    "matrix products": ("gemm", "nvjet", "cutlass", "splitk", "aten::mm", "addmm", "bmm", "mkl"),
    "optimizer": ("adam", "multi_tensor"),
    "random numbers": ("rand", "normal", "uniform", "distribution"),
}


def breakdown(step: Step, device: torch.device, n_steps: int = 5) -> dict[str, float]:
    """The share of each of `KINDS` in the time of some steps.

    On CUDA the work is that of kernels, and idle what the device waits for the host; on the CPU
    the work is that of operations, and Python's own is the idle part.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler talks of itself
    warm_up(step, device)
    on_cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_cuda
    with step.context(), profile(activities=activities) as profiled:
        start = time.perf_counter()
        for _ in range(n_steps):
            step.run()
        if on_cuda:
            torch.cuda.synchronize(device)
        wall = time.perf_counter() - start
    seconds = dict.fromkeys(KINDS, 0.0)
    for event in profiled.key_averages():
        seconds[_kind(event.key)] += _own_seconds(event, on_cuda)
    seconds["idle"] = max(0.0, wall - sum(seconds.values()))
    total = sum(seconds.values())
    return {kind: value / total for kind, value in seconds.items()}


def _own_seconds(event: Any, on_cuda: bool) -> float:
    """Time of an event without that of its parts."""
    if on_cuda:
        # An operation on the host is given its kernels' time too.
        is_kernel = event.device_type.name == "CUDA"
        return 1e-6 * event.self_device_time_total if is_kernel else 0.0
    return 1e-6 * event.self_cpu_time_total


def _kind(name: str) -> str:
    name = name.lower()
    return next((k for k, marks in MARKS.items() if any(m in name for m in marks)), "other work")
