"""What does each thing give that a compiled step on a CPU has beside compilation?

A step as it is, and without one of them at a time, each in a process of its own, in turns
(A B C A B C ...); a ratio is the median over rounds of that round's ratio. The things: narrow
products that are turned round (`pyro_gmvae.inference.rewriting`), one logarithm for eight bits
(`pyro_gmvae.distributions.bits`), memory that is kept from step to step (`training/heap.py`), and
kernels that are called from C++.

    python benchmarks/ablation.py --out benchmarks/results/ablation.json
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from unittest.mock import patch

from pyro_gmvae.benchmarks import variants
from pyro_gmvae.benchmarks.apart import StepApart
from pyro_gmvae.benchmarks.cells import Cell, add_cell_options, cells_of
from pyro_gmvae.benchmarks.measure import add_timing_options
from pyro_gmvae.benchmarks.report import Parser, Report, script
from pyro_gmvae.benchmarks.timing import Times, milliseconds, ratio, side_by_side, typical
from pyro_gmvae.benchmarks.variants import VARIANTS
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


WITHOUT: dict[str, Callable[[], AbstractContextManager[object]]] = {
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
    choices = [v for v in VARIANTS if v.startswith("ours")]
    parser.add_argument("--variant", default="ours-compiled", choices=choices)
    parser.add_argument("--without", nargs="+", default=list(WITHOUT), choices=list(WITHOUT))
    arguments = parser.read(argv)
    if arguments.device != "cpu":
        raise InputError("these are things of a CPU: use --device cpu")
    report = Report("ablation", arguments)
    report.say("A step in ms, and how many times as long it takes without")
    report.header("method   K   hidden    ", "ms", *arguments.without)
    for cell in cells_of(arguments):
        times = measure(cell, arguments)
        ratios = {name: ratio(times[name], times[WHOLE]) for name in arguments.without}
        report.line(
            f"{cell.method:8} {cell.clusters:3} {','.join(map(str, cell.hidden)):10}",
            milliseconds(times[WHOLE]),
            *(f"{r:.2f}" for r in ratios.values()),
        )
        report.add(**cell.named(), seconds=typical(times[WHOLE]), times_as_long_without=ratios)
    report.close()


def measure(cell: Cell, arguments: Namespace) -> dict[str, Times]:
    """The step as it is and without each thing."""
    contexts = {WHOLE: nullcontext} | {name: WITHOUT[name] for name in arguments.without}
    steps: dict[str, StepApart] = {}
    try:
        for name, context in contexts.items():
            steps[name] = StepApart(arguments.variant, cell, context)
        return side_by_side(
            {name: step.turn for name, step in steps.items()},
            rounds=arguments.rounds,
            n_steps=arguments.steps,
            seconds=arguments.seconds,
        )
    finally:
        for step in steps.values():
            step.close()


if __name__ == "__main__":
    script(main)
