"""Run a benchmark by its name: ``python -m benchmarks NAME [options]``.

Nothing but the standard library is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

__all__ = ["NAMES", "Benchmark", "main"]

INTERRUPTED = 130


class Benchmark(NamedTuple):
    """Describe one entry of the table of benchmarks.

    Attributes:
        module: whose ``main`` takes the options.
        answers: what the benchmark finds out.
    """

    module: str
    answers: str


NAMES = {
    "step": Benchmark("speed.step", "time of a step, beside stock Pyro and hand-written torch"),
    "scaling": Benchmark("speed.scaling", "growth of a step's time and memory with K"),
    "limit": Benchmark("speed.limit", "how close a step is to what the machine can do"),
    "epoch": Benchmark("speed.epoch", "seconds for an epoch of MNIST"),
    "cpu-ablation": Benchmark("speed.cpu_ablation", "gain of each optimisation of a CPU step"),
    "precision": Benchmark("speed.precision", "likelihood after training in bfloat16 and float32"),
    "serving": Benchmark(
        "speed.serving", "requests in a second and latency of `serve` (extra `serve`)"
    ),
    "import-time": Benchmark("speed.import_time", "time to import the package, to print its help"),
    "peers": Benchmark("peers.compare", "the same training by other packages (extra `peers`)"),
    "paper": Benchmark("paper.experiment", "the paper's experiment: exact against Concrete"),
    "objective-ablation": Benchmark(
        "paper.objective_ablation", "effect of each part of the objective on the clusters"
    ),
    "gradient-bias": Benchmark(
        "paper.gradient_bias", "distance of each method's gradient from the exact one"
    ),
    "concrete-gap": Benchmark(
        "paper.concrete_gap", "how far Concrete ends from exact, and what closes the gap"
    ),
    "reference-elbo": Benchmark(
        "paper.reference_elbo", "held-out ELBO on MNIST beside a public implementation's"
    ),
    "clusters": Benchmark(
        "clusters.compare", "accuracy of the clusters and agreement of seeds, beside other methods"
    ),
    "small-tables": Benchmark("clusters.small_tables", "clusters of small tables by each method"),
    "table-defaults": Benchmark("clusters.table_defaults", "clusters of tables by other defaults"),
    "suites": Benchmark(
        "clusters.suites", "clusters of public suites by the defaults, beside other methods"
    ),
    "embeddings": Benchmark(
        "clusters.embeddings", "clusters of embeddings and of new ones, beside other methods"
    ),
    "many-clusters": Benchmark(
        "clusters.many", "quality, lost groups and seconds from 2 to 1,000 generated groups"
    ),
    "tables-commands": Benchmark(
        "tables.commands", "seconds of train, evaluate and predict on four real tables"
    ),
    "tables-wait": Benchmark("tables.wait", "seconds until a small table is clustered"),
    "starting-clusters": Benchmark(
        "clusters.starting_clusters", "accuracy of the clusters that a training starts from"
    ),
    "information-starts": Benchmark(
        "clusters.information_starts", "accuracy of the best of several starts by information"
    ),
    "partial-knowledge": Benchmark(
        "clusters.partial_knowledge", "gain by a few known labels or linked rows"
    ),
    "partial-fit": Benchmark(
        "tables.partial_fit", "whether training by pieces is as good as one on all rows"
    ),
    "selection": Benchmark("clusters.selection", "whether `select` finds the number of clusters"),
    "tables-generated": Benchmark(
        "tables.generated", "clusters of generated mixed tables with gaps, beside other methods"
    ),
    "mixture-starts": Benchmark(
        "tables.mixture_starts", "mixtures that a mixed table may begin at, by number of starts"
    ),
    "tables-real": Benchmark(
        "tables.real", "clusters of four real tables: agreement of seeds, what they are"
    ),
    "tables-density": Benchmark(
        "tables.density", "held-out density of adult's rows, beside mixtures"
    ),
    "tables-imputation": Benchmark(
        "tables.imputation", "error of completed gaps, beside scikit-learn's imputers"
    ),
    "compilation": Benchmark("tables.compilation", "time to compile a table's step on a CPU"),
    "tables-step": Benchmark(
        "tables.step", "seconds for an epoch of a wide mixed table, against K"
    ),
    "shards": Benchmark(
        "scale.shards", "rows per second and memory of tables that are read in shards"
    ),
    "prediction": Benchmark(
        "scale.prediction", "rows per second and memory of placing new rows, by size and core"
    ),
    "tables-predict": Benchmark(
        "tables.predict", "rows a second that get a cluster, and a density too"
    ),
    "tables-report": Benchmark(
        "tables.report", "seconds and memory of the report of a large table"
    ),
    "covariates": Benchmark(
        "segments.covariates", "what covariates tell of the cluster, on tables with known answers"
    ),
    "coverage": Benchmark(
        "segments.coverage", "how often intervals of segments hold the truth, on known tables"
    ),
    "tables-picture": Benchmark(
        "tables.dependent_picture", "picture of clusters whose columns depend on one another"
    ),
}

HELP = """usage: python -m benchmarks NAME [options]

Measure how fast this package trains on this machine, or how well. NAME is one of

{names}

A benchmark prints a table as it grows, and `--out FILE` writes its figures as JSON. Most take
minutes; clusters, selection and tables-generated take an hour or more, paper half an hour.
`--small` shows that a benchmark runs, `--full` measures everything. Images other than the digits,
and real tables, are read from the folder that `--data-dir` names. `python -m benchmarks NAME
--help` lists all options of a benchmark.

examples:
  python -m benchmarks step --out step.json
  python -m benchmarks scaling --methods concrete sparse --clusters 2 10 100
""".format(names="\n".join(f"  {name:20} {answers}" for name, (_, answers) in NAMES.items()))


def main(argv: Sequence[str]) -> int:
    """Run the benchmark that the first argument names, with the other arguments.

    Returns:
        The exit code: 2 for a mistake of the user's, which is printed as one line.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    name, *options = argv
    if name not in NAMES:
        return _refused(f"{name!r} is not a benchmark: choose from {', '.join(NAMES)}")
    from pyro_gmvae.errors import InputError

    try:
        import_module(f"benchmarks.{NAMES[name].module}").main(options)
    except InputError as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        print("Error: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _refused(message: str) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
