"""Check whether `pyro-gmvae select` finds how many clusters there are.

The data are the ten digits and generated tables with a known number of clusters of unequal size:
one of round clusters; three of mixed columns, correlated, skewed and counts; and one that a random
network has bent into more columns than it varies in. No label is used.

    python -m benchmarks selection --out benchmarks/results/selection_tables.json

Finished trainings are kept in the folder --cells, and the same command goes on where it stopped.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.measuring.finished_cells import add_cells_option, cells_folder
from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts import start_names
from pyro_gmvae.tasks.select import select_clusters

SMALL = {"tables": ["mixed"], "digits": [], "rows": 100, "runs": 2, "beyond": 1, "epochs": 1}
DIGITS = [5, *range(7, 14), 15]


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "selection", __doc__, small=SMALL, full={"runs": 5, "digits": list(range(2, 21))}
    )
    add_cells_option(parser)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    parser.add_argument(
        "--beyond", type=at_least(1), default=3, help="how far above the true number is tried"
    )
    parser.add_argument("--rows", type=at_least(10), default=2000, help="rows of a table")
    parser.add_argument(
        "--digits",
        nargs="*",
        type=at_least(1),
        default=DIGITS,
        metavar="K",
        help="numbers of clusters tried for the digits",
    )
    parser.add_argument("--runs", type=at_least(2), default=3, help="trainings of each number")
    parser.add_argument("--epochs", type=at_least(1), default=100, help="epochs of a table")
    parser.add_argument(
        "--digits-epochs", type=at_least(1), default=20, help="epochs of the digits"
    )
    parser.add_argument("--initialization", default="auto", choices=start_names())
    parser.add_argument(
        "--annealing-epochs", type=float, help="epochs of annealing; default: as the data need"
    )
    arguments = parser.read(argv)
    work = cells_folder("selection", arguments)
    cases: list[tuple[str, int, Sequence[int], int]] = []
    for name in arguments.tables:
        truth = TABLES[name][0]
        tried = range(2, truth + arguments.beyond + 1)
        cases.append((str(drawn(name, work, arguments)), truth, tried, arguments.epochs))
    if arguments.digits:
        cases.append(("digits", 10, arguments.digits, arguments.digits_epochs))
    report = Report("selection", arguments)
    report.header("data   ", "truth", "found", "sure", "clusters found again")
    for data, truth, numbers, epochs in cases:
        settings = Settings.of(
            data,
            epochs=epochs,
            seed=arguments.seed,
            device=arguments.device,
            initialization=arguments.initialization,
            annealing_epochs=arguments.annealing_epochs,
        )
        name = Path(data).stem
        found = select_clusters(settings, list(numbers), work / name, runs=arguments.runs)
        report.add(data=name, truth=truth, **found.to_dict())
        again = " ".join(f"{c.n_clusters}:{c.found_again:.1f}" for c in found.candidates)
        sure = "yes" if found.sure else "no"
        report.line(name, truth, found.n_clusters, sure, again)
    report.close()


def drawn(name: str, work: Path, arguments: Namespace) -> Path:
    """Draw a table and write it to a file."""
    path = work / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    k, draw = TABLES[name]
    rng = np.random.default_rng(arguments.seed)
    y = rng.choice(k, size=arguments.rows, p=rng.dirichlet(np.full(k, 5.0)))
    np.save(path, draw(y, k, rng).astype(np.float32))
    return path


def round_(y: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw eight columns that are independent and of one variance in each cluster."""
    return rng.normal(0, 3, (k, 8))[y] + rng.normal(size=(len(y), 8))


def mixed(y: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw four real columns that are correlated in each cluster, two skewed ones, two counts."""
    noise = np.einsum("nij,nj->ni", rng.normal(0, 0.5, (k, 4, 4))[y], rng.normal(size=(len(y), 4)))
    real = rng.normal(0, 4, (k, 4))[y] + noise + 0.3 * rng.normal(size=(len(y), 4))
    skewed = np.exp(0.3 * rng.normal(size=(len(y), 2)) + rng.normal(0, 1, (k, 2))[y])
    counts = rng.poisson(rng.gamma(2, 3, (k, 2))[y])
    return np.concatenate([real, skewed, counts], 1)


def bent(y: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw round clusters in five dimensions, and map them to twenty columns by a network."""
    z = rng.normal(0, 3, (k, 5))[y] + rng.normal(size=(len(y), 5))
    hidden = np.tanh(z @ rng.normal(0, 0.3, (5, 30)))
    return hidden @ rng.normal(size=(30, 20)) + 0.1 * rng.normal(size=(len(y), 20))


TABLES = {
    "round": (5, round_),
    "mixed": (3, mixed),
    "mixed-5": (5, mixed),
    "mixed-8": (8, mixed),
    "bent": (7, bent),
}
