"""How do time and memory of a step grow with the number of clusters?

Times of all methods and K are taken side by side, and then the peak memory of each: what a step
holds beyond the model and its optimizer at rest (on CUDA, see `cell_memory.cell_peak`). The slope
of a straight line through log(figure) against log(K) says how each grows: 0 not at all, 1 in
proportion.

    python benchmarks/scaling.py --out benchmarks/results/scaling.json          # minutes
    python benchmarks/scaling.py --full --out benchmarks/results/scaling.json   # K up to 200

The picture is beside the JSON, or where --plot says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.cell_memory import cell_peak
from benchmarks.cells import Cell, add_cell_options, cells_of
from benchmarks.growth import Curve, plot, slope
from benchmarks.measure import Measured, add_measure_options, measure
from benchmarks.report import Parser, Report, script
from benchmarks.timing import typical
from benchmarks.variants import VARIANTS

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


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(__doc__, small=SMALL, full=FULL)
    add_cell_options(parser)
    add_measure_options(parser)
    # Pyro keeps the parameters of SVI by name, of one model at a time.
    choices = [v for v in VARIANTS if v != "stock-svi"]
    parser.add_argument("--variant", default="ours-compiled", choices=choices)
    parser.add_argument("--plot", type=Path, help="PNG file; default: beside --out")
    arguments = parser.read(argv)
    report = Report("scaling", arguments)
    cells = {key_of(cell): cell for cell in cells_of(arguments)}
    found = measure({key: (arguments.variant, cell) for key, cell in cells.items()}, arguments)
    figures = collect(arguments.variant, cells, found, report)
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


def key_of(cell: Cell) -> Key:
    """The name of a cell's curve, and K."""
    return f"{cell.method} {','.join(map(str, cell.hidden))}", cell.clusters


def collect(
    variant: str, cells: dict[Key, Cell], found: Measured[Key], report: Report
) -> dict[str, dict[str, Curve]]:
    """The curves of time and memory, each cell reported as its memory is measured."""
    figures: dict[str, dict[str, Curve]] = {TIME: {}, MEMORY: {}}
    report.say(f"A step of {variant}")
    report.header("method" + " " * 10, "K", "ms", "peak MiB")
    for (label, clusters), cell in cells.items():
        key = (label, clusters)
        if key not in found.times:
            report.line(label, clusters, None, None)
            report.add(**cell.named(), not_applicable=found.not_applicable[key])
            continue
        seconds, peak = typical(found.times[key]), cell_peak(variant, cell)
        report.add(**cell.named(), seconds=seconds, peak_bytes=peak)
        figures[TIME].setdefault(label, {})[clusters] = seconds
        if peak is not None:
            figures[MEMORY].setdefault(label, {})[clusters] = peak
        mebibytes = None if peak is None else f"{peak / 2**20:.1f}"
        report.line(label, clusters, f"{1e3 * seconds:.2f}", mebibytes)
    return figures


if __name__ == "__main__":
    script(main)
