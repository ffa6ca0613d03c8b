"""Measure how time and memory of a step grow with the number of clusters.

All methods and K are timed side by side. Then the peak memory of each is measured: the memory of a
step beyond the model and its optimizer at rest (on CUDA, see `step_memory.step_peak_bytes`). The
slope of a straight line through log(figure) against log(K) says how each grows: 0 not at all, 1 in
proportion.

    python -m benchmarks scaling --out benchmarks/results/scaling.json          # minutes
    python -m benchmarks scaling --full --out benchmarks/results/scaling.json   # K up to 200

The picture is beside the JSON file, or where --plot says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring.compare_steps import Measured, add_measure_options, measure
from benchmarks.measuring.growth_curve import Curve, plot, slope
from benchmarks.measuring.options import Parser
from benchmarks.measuring.report import Report
from benchmarks.measuring.step_case import StepCase, add_case_options, step_cases
from benchmarks.measuring.step_memory import step_peak_bytes
from benchmarks.measuring.step_variants import VARIANTS
from benchmarks.measuring.timing import typical

SMALL = {
    "hidden": [(8, 8)],
    "batch": 16,
    "methods": ["concrete"],
    "clusters": [2, 4],
    "variant": "ours",
    "steps": 2,
    "rounds": 2,
    "one_process": True,
}
FULL = {"clusters": [2, 5, 10, 20, 50, 100, 200], "rounds": 9}
TIME, MEMORY = "seconds per step", "peak bytes of a step"

Key = tuple[str, int]


def main(argv: Sequence[str]) -> None:
    parser = Parser("scaling", __doc__, small=SMALL, full=FULL)
    add_case_options(parser)
    add_measure_options(parser)
    # SVI keeps parameters by name in one store, so that it cannot train several models at once.
    choices = [v for v in VARIANTS if v != "stock-svi"]
    parser.add_argument("--variant", default="ours-compiled", choices=choices)
    parser.add_argument("--plot", type=Path, help="PNG file to write; default: beside --out")
    arguments = parser.read(argv)
    report = Report("scaling", arguments)
    cases = {key_of(case): case for case in step_cases(arguments)}
    found = measure({key: (arguments.variant, case) for key, case in cases.items()}, arguments)
    figures = collect(arguments.variant, cases, found, report)
    slopes = {n: {label: slope(c) for label, c in cs.items()} for n, cs in figures.items()}
    report.set(slopes=slopes)
    report.say("\nSlope in log-log of")
    report.header("method" + " " * 10, "time", "memory")
    for label in figures[TIME]:
        both = (slopes[name].get(label) for name in (TIME, MEMORY))
        report.line(label, *(None if s is None else f"{s:.2f}" for s in both))
    file = arguments.plot or (arguments.out and arguments.out.with_suffix(".png"))
    if file and figures[TIME]:
        plot(figures, file)
        report.say(f"The picture is {file}.")
    report.close()


def key_of(case: StepCase) -> Key:
    """Return the name of a case's curve, and K."""
    return f"{case.method} {','.join(map(str, case.hidden))}", case.clusters


def collect(
    variant: str, cases: dict[Key, StepCase], found: Measured[Key], report: Report
) -> dict[str, dict[str, Curve]]:
    """Measure the memory of each case, report it, and return the curves of time and memory."""
    figures: dict[str, dict[str, Curve]] = {TIME: {}, MEMORY: {}}
    report.say(f"A step of {variant}")
    report.header("method" + " " * 10, "K", "ms", "peak MiB")
    for (label, clusters), case in cases.items():
        key = (label, clusters)
        if key not in found.times:
            report.line(label, clusters, None, None)
            report.add(**case.named(), not_applicable=found.not_applicable[key])
            continue
        seconds, peak = typical(found.times[key]), step_peak_bytes(variant, case)
        report.add(**case.named(), seconds=seconds, peak_bytes=peak)
        figures[TIME].setdefault(label, {})[clusters] = seconds
        if peak is not None:
            figures[MEMORY].setdefault(label, {})[clusters] = peak
        mebibytes = None if peak is None else f"{peak / 2**20:.1f}"
        report.line(label, clusters, f"{1e3 * seconds:.2f}", mebibytes)
    return figures
