"""Ask how many starts by information it takes, and on which rows they should be judged.

For each seed, which draws the held-out rows of scikit-learn's digits, several starts are trained
with the defaults. A start is judged by its penalties, on the rows that it is trained on and on the
validation rows. The table has the accuracy of the best of n starts by each of the two, a mean over
all choices of n starts of a seed and over the seeds, and the share of choices that end below 0.93.
Labels are used for these figures only, and every start that was run is counted.

    python -m benchmarks information-starts --out benchmarks/results/information_starts.json

Each start is a JSON file in the folder --cells, and the same command goes on where it stopped.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from statistics import mean
from typing import Any

from benchmarks.clusters.labels import class_labels
from benchmarks.measuring.finished_cells import add_cells_option
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.study_cells import Cell, machines_of, run_cells
from benchmarks.measuring.summary import markdown_table
from pyro_gmvae.data import load_splits
from pyro_gmvae.evaluation import clustering_scores
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.groups import METHODS
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.plan import seeds_of as seeds_of_starts
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.information import information_loss, maximize_information

STUDY = "information-starts"
JUDGED_ON = ("training", "validation")  # rows
POOR = 0.93  # an accuracy


def main(argv: Sequence[str]) -> None:
    parser = Parser(STUDY, __doc__, small={"seeds": 1, "starts": 2}, full={"seeds": 10})
    add_cells_option(parser)
    parser.add_argument("--starts", type=at_least(1), default=8, help="starts for each seed")
    parser.add_argument("--seeds", type=at_least(1), default=5, help="how many, from --seed on")
    parser.add_argument("--method", default="concrete", choices=list(METHODS))
    arguments = parser.read(argv)
    report = Report(STUDY, arguments)
    wanted = (
        {"start": start, "seed": seed}
        for seed, start in product(seeds_of(arguments), range(arguments.starts))
    )
    measure = partial(measured, arguments=arguments)
    cells = run_cells(STUDY, arguments, report, wanted, {"method": arguments.method}, measure)
    most = min(len(starts) for starts in by_seed(cells))
    rows: list[dict[str, Any]] = [
        {"judged_on": judge, "n": n, **best_of(cells, judge, n)}
        for judge, n in product(JUDGED_ON, range(1, most + 1))
    ]
    report.set(results=rows, cells=cells, machines=machines_of(cells))
    heads = ["judged on the rows of", "best of", "accuracy", f"below {POOR}"]
    body = [
        [row["judged_on"], str(row["n"]), f"{row['accuracy']:.3f}", f"{row['poor']:.1%}"]
        for row in rows
    ]
    report.say("\n".join(markdown_table(heads, body)))
    report.close()


def measured(start: int, seed: int, arguments: Namespace) -> dict[str, Any]:
    """Train one start, and judge it on both kinds of rows."""
    settings = Settings.of(
        "digits", clusters=10, method=arguments.method, seed=seed, device=arguments.device
    )
    made = plan(settings, load_splits("digits", seed=seed))
    own_seed = seeds_of_starts(seed, start + 1)[start]
    train, encoding = made.splits.train, made.encoding
    gmvae, own = made.make_model(own_seed), replace(made.config, seed=own_seed)
    maximize_information(gmvae, train.x, own, epochs=made.start.epochs, transform=encoding)
    clusters = FittedModel(gmvae.eval(), encoding).responsibilities(train.x).argmax(-1)
    judged = zip(JUDGED_ON, (train, made.splits.validation), strict=True)
    losses = {rows: information_loss(gmvae, d.x, transform=encoding) for rows, d in judged}
    return {**losses, "accuracy": clustering_scores(class_labels(train), clusters).accuracy}


def by_seed(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Put the starts of a seed together."""
    seeds = sorted({cell["seed"] for cell in cells})
    return [[cell for cell in cells if cell["seed"] == seed] for seed in seeds]


def best_of(cells: Sequence[Cell], rows: str, n: int) -> dict[str, float]:
    """Average over all choices of n starts of a seed, and over the seeds."""
    each = [
        [min(some, key=lambda cell: cell[rows])["accuracy"] for some in combinations(starts, n)]
        for starts in by_seed(cells)
    ]
    poor = [mean(accuracy < POOR for accuracy in found) for found in each]
    return {"accuracy": mean(map(mean, each)), "poor": mean(poor)}
