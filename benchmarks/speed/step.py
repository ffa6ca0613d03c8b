"""Time a training step beside stock Pyro and hand-written torch, and as K grows.

For each method and number of clusters all variants of the step are timed side by side, in rounds
that take turns (A B C A B C ...), on a CPU each in a process of its own. A figure is the median
over all steps, a ratio the median over rounds of that round's ratio. Then one variant is timed at
all K side by side: the ratios between K and between methods come from these times.

    python -m benchmarks step --out benchmarks/results/step.json            # minutes
    python -m benchmarks step --full --out benchmarks/results/step.json     # every K
    python -m benchmarks step --full --hidden 8,8 64,64 --out small.json    # where overhead shows

The default network is 2x512 at batch 256, 784 inputs and Z = 10. On CUDA the hand-written variant
is compiled with CUDA graphs. Pyro's validation is off throughout. The sparse method has no stock
variant.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from benchmarks.measuring.compare_steps import add_measure_options, measure, typical_seconds
from benchmarks.measuring.options import Parser
from benchmarks.measuring.report import Report
from benchmarks.measuring.step_case import StepCase, add_case_options, step_cases
from benchmarks.measuring.step_variants import VARIANTS
from benchmarks.measuring.timing import milliseconds, ratio

SMALL = {
    "hidden": [(8, 8)],
    "batch": 16,
    "methods": ["concrete", "sparse"],
    "clusters": [2, 3],
    "variants": ["stock-svi", "stock-elbo", "ours", "hand"],
    "across": "ours",
    "steps": 2,
    "rounds": 2,
    "one_process": True,
}
FULL = {"clusters": [2, 10, 50, 100, 200], "steps": 20, "rounds": 9}
RATIOS = {
    "ours/hand": ("ours-compiled", "hand-compiled"),
    "ours/stock": ("ours-compiled", "stock-elbo"),
}


def main(argv: Sequence[str]) -> None:
    parser = Parser("step", __doc__, small=SMALL, full=FULL)
    add_case_options(parser)
    add_measure_options(parser)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument(
        "--across",
        default="ours-compiled",
        choices=[*(v for v in VARIANTS if v != "stock-svi"), "none"],
        help="variant to time at all K side by side",
    )
    arguments = parser.read(argv)
    report = Report("step", arguments)
    cases = step_cases(arguments)
    for hidden in arguments.hidden:
        group = [case for case in cases if case.hidden == hidden]
        compare_variants(group, arguments, report)
        if arguments.across != "none":
            compare_clusters(group, arguments, report)
    report.close()


def compare_variants(cases: Sequence[StepCase], arguments: Namespace, report: Report) -> None:
    """Time the variants of each case side by side."""
    report.say(f"\nA step in ms, hidden {cases[0].hidden}, batch {arguments.batch}")
    report.header("method   K  ", *arguments.variants, *RATIOS)
    for case in cases:
        found = measure({v: (v, case) for v in arguments.variants}, arguments)
        times = found.times
        ratios = {n: ratio(times.get(a), times.get(b)) for n, (a, b) in RATIOS.items()}
        report.line(
            f"{case.method:8} {case.clusters:3}",
            *(milliseconds(times.get(v)) for v in arguments.variants),
            *(two_places(r) for r in ratios.values()),
        )
        report.add(
            **case.named(),
            seconds=typical_seconds(found),
            ratios=ratios,
            first_step_seconds=found.first,
            not_applicable=found.not_applicable,
        )


def compare_clusters(cases: Sequence[StepCase], arguments: Namespace, report: Report) -> None:
    """Time one variant of all methods at all K side by side."""
    variant, ks, hidden = arguments.across, arguments.clusters, cases[0].hidden
    found = measure({(c.method, c.clusters): (variant, c) for c in cases}, arguments)
    times = found.times
    if not times:
        report.say(f"\nNo figures across K: {next(iter(found.not_applicable.values()))}.")
        return
    report.say(f"\nA step of {variant} in ms across K, hidden {hidden}")
    report.header("method  ", *(f"K={k}" for k in ks), "last/first")
    across = {}
    for method in arguments.methods:
        across[method] = ratio(times.get((method, ks[-1])), times.get((method, ks[0])))
        figures = (milliseconds(times.get((method, k))) for k in ks)
        report.line(method, *figures, two_places(across[method]))
    sparse = {k: ratio(times.get(("sparse", k)), times.get(("concrete", k))) for k in ks}
    report.line("sparse/concrete", *(two_places(r) for r in sparse.values()), "")
    report.values.setdefault("across_clusters", [])
    report.values["across_clusters"].append(
        {
            "variant": variant,
            "hidden": hidden,
            "seconds": [
                {"method": m, "clusters": k, "seconds": s}
                for (m, k), s in typical_seconds(found).items()
            ],
            "last_over_first": across,
            "sparse_over_concrete": sparse,
        }
    )
    report.set()


def two_places(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"
