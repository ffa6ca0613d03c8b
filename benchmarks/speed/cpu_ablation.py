r"""Measure the gain of each optimisation that a CPU step has beside compilation.

The step is timed as it is, and without one optimisation at a time, each in a process of its own, in
turns (A B C A B C ...). A ratio is the median over rounds of that round's ratio. The optimisations
are narrow products that are turned round (`pyro_gmvae.inference.rewriting`), one logarithm for
eight bits (`pyro_gmvae.distributions.bits`), memory that is kept from step to step
(`training/heap.py`), kernels that are called from C++, and Pyro programs without a site for each
parameter (`inference/parameter_sites.py`).

    python -m benchmarks cpu-ablation --out benchmarks/results/cpu_ablation.json

Parameter sites matter to the steps of a small table, which are not compiled:

    python -m benchmarks cpu-ablation --variant ours --without "no parameter sites" --batch 44 \
        --inputs 9 --clusters 5 --hidden 64,64 --steps 200 --threads 1
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from unittest.mock import patch

from benchmarks.measuring import step_variants
from benchmarks.measuring.compare_steps import (
    add_timing_options,
    measure_in_processes,
    typical_seconds,
)
from benchmarks.measuring.graph_options import without_cpu_options
from benchmarks.measuring.options import Parser
from benchmarks.measuring.report import Report
from benchmarks.measuring.step_case import add_case_options, step_cases
from benchmarks.measuring.step_in_process import HeldContext
from benchmarks.measuring.timing import milliseconds, ratio
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import capture, elbo
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
    return patch.object(step_variants, "keeping_freed_memory", nullcontext)


def calls_from_cpp() -> AbstractContextManager[object]:
    return without_cpu_options("cpp_wrapper")


def no_parameter_sites() -> AbstractContextManager[object]:
    return patch.object(elbo, "without_parameter_sites", lambda program: program)


WITHOUT: dict[str, HeldContext] = {
    "turned products": turned_products,
    "joint logarithms": joint_logarithms,
    "kept memory": kept_memory,
    "calls from C++": calls_from_cpp,
    "no parameter sites": no_parameter_sites,
}
WHOLE = "as it is"


def main(argv: Sequence[str]) -> None:
    parser = Parser("cpu-ablation", __doc__, small=SMALL)
    add_case_options(parser)
    add_timing_options(parser)
    parser.set_defaults(clusters=[10], hidden=[(8, 8), (512, 512)], steps=30)
    choices = ["ours", "ours-compiled"]
    parser.add_argument("--variant", default="ours-compiled", choices=choices)
    parser.add_argument("--without", nargs="+", default=list(WITHOUT), choices=list(WITHOUT))
    arguments = parser.read(argv)
    if arguments.device != "cpu":
        raise InputError("these optimisations are made on a CPU only: use --device cpu")
    report = Report("cpu-ablation", arguments)
    report.say("A step in ms, and how many times as long it takes without")
    report.header("method   K   hidden    ", "ms", *arguments.without)
    held = {name: WITHOUT[name] for name in arguments.without}
    for case in step_cases(arguments):
        wanted = dict.fromkeys((WHOLE, *held), (arguments.variant, case))
        found = measure_in_processes(wanted, arguments, held)
        whole = found.times.get(WHOLE)
        ratios = {name: ratio(found.times.get(name), whole) for name in held}
        report.line(
            f"{case.method:8} {case.clusters:3} {','.join(map(str, case.hidden)):10}",
            milliseconds(whole),
            *(None if r is None else f"{r:.2f}" for r in ratios.values()),
        )
        report.add(
            **case.named(),
            seconds=typical_seconds(found).get(WHOLE),
            times_as_long_without=ratios,
            not_applicable=found.not_applicable,
        )
    report.close()
