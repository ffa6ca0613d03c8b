"""What does each thing give that a compiled step on a CPU has beside compilation?

A step as it is, and without one of them at a time, each in a process of its own, in turns
(A B C A B C ...); a ratio is the median over rounds of that round's ratio. The things: narrow
products that are turned round (`pyro_gmvae.inference.rewriting`), one logarithm for eight bits
(`pyro_gmvae.distributions.bits`), memory that is kept from step to step (`training/heap.py`), and
kernels that are called from C++.

    python benchmarks/ablation.py --out benchmarks/results/ablation.json
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from unittest.mock import patch

from benchmarks import variants
from benchmarks.apart import Within
from benchmarks.cells import add_cell_options, cells_of
from benchmarks.measure import add_timing_options, measure_apart, typical_seconds
from benchmarks.report import Parser, Report, script
from benchmarks.timing import milliseconds, ratio
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import capture
from pyro_gmvae.likelihoods import Bernoulli, Likelihood

SMALL = {
    "hidden": [(8, 8)],
    "batch": 16,
    "methods": ["concrete"],
    "clusters": [2],
    "variant": "ours",
    "without": ["kept memory"],
    "steps": 2,
    "rounds": 2,
}


def turned_products() -> AbstractContextManager[object]:
    return patch.object(capture, "turn_narrow_products", lambda graph: None)


def joint_logarithms() -> AbstractContextManager[object]:
    return patch.object(Bernoulli, "forward", Likelihood.forward)


def kept_memory() -> AbstractContextManager[object]:
    return patch.object(variants, "keeping_freed_memory", nullcontext)


def calls_from_cpp() -> AbstractContextManager[object]:
    return patch.object(capture, "CPU_OPTIONS", capture.OPTIONS)


WITHOUT: dict[str, Within] = {
    "turned products": turned_products,
    "joint logarithms": joint_logarithms,
    "kept memory": kept_memory,
    "calls from C++": calls_from_cpp,
}
WHOLE = "as it is"


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(__doc__, small=SMALL)
    add_cell_options(parser)
    add_timing_options(parser)
    parser.set_defaults(clusters=[10], hidden=[(8, 8), (512, 512)], steps=30)
    choices = ["ours", "ours-compiled"]
    parser.add_argument("--variant", default="ours-compiled", choices=choices)
    parser.add_argument("--without", nargs="+", default=list(WITHOUT), choices=list(WITHOUT))
    arguments = parser.read(argv)
    if arguments.device != "cpu":
        raise InputError("these are things of a CPU: use --device cpu")
    report = Report("ablation", arguments)
    report.say("A step in ms, and how many times as long it takes without")
    report.header("method   K   hidden    ", "ms", *arguments.without)
    within = {name: WITHOUT[name] for name in arguments.without}
    for cell in cells_of(arguments):
        wanted = dict.fromkeys((WHOLE, *within), (arguments.variant, cell))
        found = measure_apart(wanted, arguments, within)
        whole = found.times.get(WHOLE)
        ratios = {name: ratio(found.times.get(name), whole) for name in within}
        report.line(
            f"{cell.method:8} {cell.clusters:3} {','.join(map(str, cell.hidden)):10}",
            milliseconds(whole),
            *(None if r is None else f"{r:.2f}" for r in ratios.values()),
        )
        report.add(
            **cell.named(),
            seconds=typical_seconds(found).get(WHOLE),
            times_as_long_without=ratios,
            not_applicable=found.not_applicable,
        )
    report.close()


if __name__ == "__main__":
    script(main)
