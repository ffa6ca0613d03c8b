"""Compare training by pieces with one training on all rows: clusters and held-out likelihood.

Tables of mixed columns with gaps, and blobs of numbers, are generated. Each is trained on at once,
and in equal pieces by `GMVAE.partial_fit`; the column "first" is the model of the first piece.
Quality is equal if the adjusted Rand index on held-out rows differs by at most 0.02, and their mean
log-likelihood by at most its standard error.

    python -m benchmarks partial-fit --out benchmarks/results/partial_fit.json
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.tables.generators import GENERATORS
from pyro_gmvae import GMVAE

TOLERANCE = 0.02  # of the adjusted Rand index
HELD_OUT = 1_000  # rows


class Task(NamedTuple):
    """Hold rows to train on and rows to judge by, with their groups."""

    train: Any
    held_out: Any
    groups: np.ndarray  # of the rows held out
    options: dict[str, Any]


def table(name: str, seed: int, rows: int) -> Task:
    """Draw a mixed table of `benchmarks.tables.generators`."""
    made = GENERATORS[name](seed, n=rows + HELD_OUT)
    options = {"n_components": made.clusters, "schema": made.kinds, "random_state": seed}
    return Task(made.frame[:rows], made.frame[rows:], made.labels[rows:], options)


def blobs(seed: int, rows: int) -> Task:
    """Draw eight blobs that touch one another, in six columns of numbers."""
    x, y = make_blobs(
        rows + HELD_OUT, n_features=6, centers=8, center_box=(-4, 4), random_state=seed
    )
    return Task(x[:rows], x[rows:], y[rows:], {"n_components": 8, "random_state": seed})


def judged(model: GMVAE, task: Task) -> tuple[float, np.ndarray]:
    """Return the adjusted Rand index and the log-likelihoods of the rows held out."""
    index = adjusted_rand_score(task.groups, model.predict(task.held_out))
    return float(index), model.score_samples(task.held_out)


def measured(task: Task, pieces: int) -> dict[str, float]:
    """Train both ways, and return what differs."""
    started = time.perf_counter()
    whole = GMVAE(**task.options).fit(task.train)
    seconds = time.perf_counter() - started
    ari, log_p = judged(whole, task)
    model, cuts = GMVAE(**task.options), np.linspace(0, len(task.train), pieces + 1).astype(int)
    started, first = time.perf_counter(), None
    for begin, end in zip(cuts[:-1], cuts[1:], strict=True):
        model.partial_fit(task.train[begin:end])
        first = judged(model, task) if first is None else first
    assert first is not None
    by_pieces = judged(model, task)
    return {
        "ari": ari,
        "ari_first": first[0],
        "ari_pieces": by_pieces[0],
        "log_p": float(log_p.mean()),
        "log_p_first": float(first[1].mean()),
        "log_p_pieces": float(by_pieces[1].mean()),
        "standard_error": float(log_p.std() / len(log_p) ** 0.5),
        "seconds": seconds,
        "seconds_pieces": time.perf_counter() - started,
    }


def is_equal(row: dict[str, float]) -> bool:
    """Return True for equal quality, or a better one by pieces."""
    return (
        row["ari_pieces"] >= row["ari"] - TOLERANCE
        and row["log_p_pieces"] >= row["log_p"] - row["standard_error"]
    )


TASKS: dict[str, Callable[[int, int], Task]] = {
    "blobs": blobs,
    **{name: partial(table, name) for name in ("bar", "a", "c", "out")},
}


def main(argv: Sequence[str]) -> None:
    small = {"tasks": ["blobs"], "rows": 400, "pieces": 2, "seeds": 1}
    parser = Parser("partial-fit", __doc__, small=small, full={"tasks": list(TASKS)})
    parser.add_argument("--tasks", nargs="+", default=["blobs", "bar", "a"], choices=list(TASKS))
    parser.add_argument("--rows", type=at_least(2), default=3_000)
    parser.add_argument("--pieces", type=at_least(2), default=4)
    parser.add_argument("--seeds", type=at_least(1), default=3)
    report = _compared(parser.read(argv))
    report.close()


def _compared(arguments: Namespace) -> Report:
    report = Report("partial-fit", arguments)
    report.header("task ", "seed", "ARI: all", "pieces", "first", "log p: all", "pieces", "equal")
    for name in arguments.tasks:
        for seed in seeds_of(arguments):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the figures show what they would say
                row = measured(TASKS[name](seed, arguments.rows), arguments.pieces)
            report.add(task=name, seed=seed, equal=is_equal(row), **row)
            figures = [f"{row[n]:.3f}" for n in ("ari", "ari_pieces", "ari_first")]
            bounds = [f"{row[n]:.3f}" for n in ("log_p", "log_p_pieces")]
            report.line(name, seed, *figures, *bounds, "yes" if is_equal(row) else "no")
    return report
