"""Does `pyro-gmvae select` find how many clusters there are?

Generated tables of mixed columns (real ones that hang together within a cluster, skewed, binary and
counts), clusters of unequal size, whose number is known; and the ten digits. The tables are drawn
by the number of their clusters and --seed alone; every one that was drawn is in the table. No label
is used.

    python benchmarks/selection.py --out benchmarks/results/selection.json

Finished trainings are kept in the folder --work, and the same command goes on where it stopped.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pyro_gmvae.benchmarks.report import Parser, Report, at_least, script
from pyro_gmvae.tasks.select import select_clusters
from pyro_gmvae.tasks.settings import TrainSettings

SMALL = {"tables": [2], "digits": [], "rows": 100, "runs": 2, "beyond": 1, "epochs": 1}
DIGITS = [5, *range(7, 14), 15]


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(__doc__, small=SMALL, full={"runs": 5, "digits": list(range(2, 21))})
    parser.add_argument(
        "--tables", nargs="*", type=at_least(2), default=[3, 5, 7], metavar="K", help="true numbers"
    )
    parser.add_argument("--beyond", type=at_least(1), default=3, help="tried above the true number")
    parser.add_argument("--rows", type=at_least(10), default=2000, help="of a table")
    parser.add_argument(
        "--digits", nargs="*", type=at_least(1), default=DIGITS, metavar="K", help="tried of digits"
    )
    parser.add_argument("--runs", type=at_least(2), default=3)
    parser.add_argument("--epochs", type=at_least(1), default=20)
    parser.add_argument("--work", type=Path, default=Path("selection"))
    arguments = parser.read(argv)
    cases: list[tuple[str, int, Sequence[int]]] = [
        (str(drawn(k, arguments)), k, range(2, k + arguments.beyond + 1)) for k in arguments.tables
    ]
    if arguments.digits:
        cases.append(("digits", 10, arguments.digits))
    report = Report("selection", arguments)
    report.header("data   ", "truth", "found", "sure", "clusters found again", "minutes")
    for data, truth, numbers in cases:
        settings = TrainSettings(
            data, epochs=arguments.epochs, seed=arguments.seed, device=arguments.device
        )
        name, started = Path(data).stem, time.perf_counter()
        found = select_clusters(settings, list(numbers), arguments.work / name, runs=arguments.runs)
        seconds = time.perf_counter() - started
        report.add(data=name, truth=truth, seconds=seconds, **found.to_dict())
        again = " ".join(f"{c.n_clusters}:{c.found_again:.1f}" for c in found.candidates)
        sure = "yes" if found.sure else "no"
        report.line(name, truth, found.n_clusters, sure, again, f"{seconds / 60:.1f}")
    report.close()


def drawn(k: int, arguments: Namespace) -> Path:
    """A table with ``k`` clusters as a file."""
    path: Path = arguments.work / f"mixed{k}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, mixed(k, arguments.rows, seed=arguments.seed + k))
    return path


def mixed(k: int, rows: int, *, seed: int) -> np.ndarray:
    """Shape ``(rows, 11)``: four real columns, two skewed, three binary, two counts."""
    rng = np.random.default_rng(seed)
    y = rng.choice(k, size=rows, p=rng.dirichlet(np.full(k, 5.0)))
    shapes = rng.normal(0, 0.5, (k, 4, 4))
    noise = np.einsum("nij,nj->ni", shapes[y], rng.normal(size=(rows, 4)))
    real = rng.normal(0, 4, (k, 4))[y] + noise + 0.3 * rng.normal(size=(rows, 4))
    skewed = np.exp(0.3 * rng.normal(size=(rows, 2)) + rng.normal(0, 1, (k, 2))[y])
    binary = rng.random((rows, 3)) < rng.beta(0.5, 0.5, (k, 3))[y]
    counts = rng.poisson(rng.gamma(2, 3, (k, 2))[y])
    return np.concatenate([real, skewed, binary, counts], 1).astype(np.float32)


if __name__ == "__main__":
    script(main)
