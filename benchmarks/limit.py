"""How far is a step from what the machine could do?

The work of a step is counted: floating-point operations of its matrix products, and the least
bytes it must move (the model of it is in `work.py`). Over the machine's measured matrix rate and
copy bandwidth this gives two times, of which the longer is the limit of any implementation that
finds nothing in a cache. The table says how much of the limit a measured step reaches; above 100 %
a small step lives in the cache.

    python benchmarks/limit.py --out benchmarks/results/limit.json          # minutes
    python benchmarks/limit.py --full --out benchmarks/results/limit.json   # K up to 200

A step computes in --precision, and the limit is of that; shares of both matrix rates are in the
JSON.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

import torch

from benchmarks.breakdown import KINDS, breakdown
from benchmarks.ceilings import LARGEST, copy_bandwidth, matrix_rate
from benchmarks.cells import add_cell_options, cells_of
from benchmarks.measure import add_measure_options, measure, typical_seconds
from benchmarks.report import Parser, Report, script
from benchmarks.variants import VARIANTS, NotApplicableError, build_step
from benchmarks.work import work_of

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


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(__doc__, small=SMALL, full=FULL)
    add_cell_options(parser)
    add_measure_options(parser)
    default = ["ours", "ours-compiled"]
    parser.add_argument("--variants", nargs="+", default=default, choices=list(VARIANTS))
    parser.add_argument(
        "--largest", type=int, default=LARGEST, help="matrix and, squared, copy to measure with"
    )
    parser.add_argument("--profile", action="store_true", help="say where the time goes as well")
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
    for cell in cells_of(arguments):
        work = work_of(cell)
        bounds = {
            "compute": work.flops / rates[cell.precision],
            "memory": work.bytes_moved / bandwidth,
        }
        by = max(bounds, key=bounds.__getitem__)
        found = measure({v: (v, cell) for v in arguments.variants}, arguments)
        seconds = typical_seconds(found)
        of_limit = {v: bounds[by] / s for v, s in seconds.items()}
        report.add(
            **cell.named(),
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
            f"{cell.method:8} {cell.clusters:3}",
            ",".join(map(str, cell.hidden)),
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
    """Each step by kinds of work, under a profiler that slows it: look at the shares."""
    report.say()
    report.header("method   K  ", "variant      ", *KINDS)
    shares = []
    for cell in cells_of(arguments):
        for variant in arguments.variants:
            try:
                parts = breakdown(build_step(variant, cell), cell.device)
            except NotApplicableError:
                continue
            report.line(
                f"{cell.method:8} {cell.clusters:3}", variant, *(f"{parts[k]:.0%}" for k in KINDS)
            )
            shares.append({**cell.named(), "variant": variant, **parts})
    report.set(shares=shares)


if __name__ == "__main__":
    script(main)
