"""Compare a training step with what the machine can do at best.

The work of a step is counted: the floating-point operations of its matrix products, and the least
bytes it must move (see `benchmarks.measuring.flops`). Divided by the machine's measured matrix rate
and copy bandwidth this gives two times. The longer one is the limit of any implementation that
finds nothing in a cache. The table says how much of the limit a measured step reaches; a small step
that stays in the cache can be above 100 %.

    python -m benchmarks limit --out benchmarks/results/limit.json          # minutes
    python -m benchmarks limit --full --out benchmarks/results/limit.json   # K up to 200

A step computes in --precision, and the limit is for that precision; the JSON file has the shares of
both matrix rates.
"""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.measuring.compare_steps import add_measure_options, measure, typical_seconds
from benchmarks.measuring.flops import work_of
from benchmarks.measuring.options import Parser
from benchmarks.measuring.rates import LARGEST, copy_bandwidth, matrix_rate
from benchmarks.measuring.report import Report
from benchmarks.measuring.step_case import add_case_options, step_cases
from benchmarks.measuring.step_variants import VARIANTS, NotApplicableError, build_step
from benchmarks.measuring.timing import Step, warm_up

KINDS = ("matrix products", "optimizer", "random numbers", "other work", "idle")
# Parts of the names of kernels (CUDA) and of torch's operations (CPU), by kind.
MARKS = {
    "matrix products": ("gemm", "nvjet", "cutlass", "splitk", "aten::mm", "addmm", "bmm", "mkl"),
    "optimizer": ("adam", "multi_tensor"),
    "random numbers": ("rand", "normal", "uniform", "distribution"),
}
SMALL = {
    "hidden": [(8, 8)],
    "batch": 16,
    "methods": ["concrete"],
    "clusters": [2],
    "variants": ["ours"],
    "steps": 2,
    "rounds": 2,
    "largest": 128,
    "profile": True,
    "one_process": True,
}
FULL = {"clusters": [2, 10, 50, 200], "rounds": 9}


def main(argv: Sequence[str]) -> None:
    parser = Parser("limit", __doc__, small=SMALL, full=FULL)
    add_case_options(parser)
    add_measure_options(parser)
    default = ["ours", "ours-compiled"]
    parser.add_argument("--variants", nargs="+", default=default, choices=list(VARIANTS))
    parser.add_argument(
        "--largest",
        type=int,
        default=LARGEST,
        help="rows of the largest matrix; the copy has its size",
    )
    parser.add_argument(
        "--profile", action="store_true", help="also split the time by kinds of work"
    )
    arguments = parser.read(argv)
    report = Report("limit", arguments)
    device = torch.device(arguments.device)
    rates = {
        str(dtype).removeprefix("torch."): matrix_rate(device, dtype, arguments.largest)
        for dtype in (torch.float32, torch.bfloat16)
    }
    bandwidth = copy_bandwidth(device, 4 * arguments.largest**2)
    report.set(matrix_flops_per_second=rates, copy_bytes_per_second=bandwidth)
    for name, rate in rates.items():
        report.say(f"Matrix rate, {name}: {rate / 1e12:.3f} TFLOP/s")
    report.say(f"Copy bandwidth: {bandwidth / 1e9:.1f} GB/s\n")
    columns = [text for v in arguments.variants for text in (f"{v} ms", "of limit")]
    report.header("method   K  ", "hidden", "GFLOP", "MiB", "limit ms", "bound by", *columns)
    for case in step_cases(arguments):
        work = work_of(case)
        bounds = {
            "compute": work.flops / rates[case.precision],
            "memory": work.bytes_moved / bandwidth,
        }
        by = max(bounds, key=bounds.__getitem__)
        found = measure({v: (v, case) for v in arguments.variants}, arguments)
        seconds = typical_seconds(found)
        of_limit = {v: bounds[by] / s for v, s in seconds.items()}
        report.add(
            **case.named(),
            **work.named(),
            limit_seconds=bounds,
            seconds=seconds,
            of_limit=of_limit,
            of_matrix_rate={
                v: {name: work.flops / s / rate for name, rate in rates.items()}
                for v, s in seconds.items()
            },
            not_applicable=found.not_applicable,
        )
        figures = [
            text
            for v in arguments.variants
            for text in (
                (f"{1e3 * seconds[v]:.2f}", f"{of_limit[v]:.0%}") if v in seconds else (None, None)
            )
        ]
        report.line(
            f"{case.method:8} {case.clusters:3}",
            ",".join(map(str, case.hidden)),
            f"{work.flops / 1e9:.2f}",
            f"{work.bytes_moved / 2**20:.0f}",
            f"{1e3 * bounds[by]:.2f}",
            by,
            *figures,
        )
    if arguments.profile:
        where_the_time_goes(arguments, report)
    report.close()


def where_the_time_goes(arguments: Namespace, report: Report) -> None:
    """Report the shares of kinds of work in each step, under a profiler that slows it."""
    report.say()
    report.header("method   K  ", "variant      ", *KINDS)
    shares = []
    for case in step_cases(arguments):
        for variant in arguments.variants:
            try:
                parts = breakdown(build_step(variant, case), case.device)
            except NotApplicableError:
                continue
            report.line(
                f"{case.method:8} {case.clusters:3}", variant, *(f"{parts[k]:.0%}" for k in KINDS)
            )
            shares.append({**case.named(), "variant": variant, **parts})
    report.set(shares=shares)


def breakdown(step: Step, device: torch.device, n_steps: int = 5) -> dict[str, float]:
    """Return the share of each of `KINDS` in the time of some steps, by torch's profiler.

    On CUDA the work is that of kernels, and the idle part is the time that the device waits for the
    host. On a CPU the work is that of torch's operations, and the idle part is Python's own time.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # silences the profiler's own messages
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
    """Return the time of an event without that of its parts."""
    if on_cuda:
        # The profiler adds the time of kernels to the operation on the host, too.
        is_kernel = event.device_type.name == "CUDA"
        return 1e-6 * event.self_device_time_total if is_kernel else 0.0
    return 1e-6 * event.self_cpu_time_total


def _kind(name: str) -> str:
    name = name.lower()
    return next((k for k, marks in MARKS.items() if any(m in name for m in marks)), "other work")
