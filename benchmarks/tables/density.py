"""Compare the density of the rows of adult that were held out, in nats a row.

Whole numbers are made continuous by uniform noise, so that each has a density. The figure is the
log density and mass of the raw cells, whatever scale a method works on. All methods see the same
columns, without income and education, and are told the kinds; ``independent`` is one cluster. A
seed draws the noise, the held-out rows and the start.

    python -m benchmarks tables-density --data-dir tables \
        --out benchmarks/results/tables_density.json

The package of a rival: ``pip install stepmix``. Each cell is a JSON file in the folder --cells, and
the same command goes on where it stopped.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.measuring.finished_cells import add_cells_option
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.study_cells import Cell, machines_of, run_cells, summed
from benchmarks.measuring.summary import markdown_table, spread
from benchmarks.tables.contenders import MOST_ROWS, OURS, Case, options_of, our_model
from benchmarks.tables.encoding import Scale
from benchmarks.tables.mixture import Mixture
from benchmarks.tables.our_start import StartingMixture
from benchmarks.tables.real_tables import ADULT_KINDS, read
from benchmarks.tables.rivals import check_installed, fitted_stepmix

STUDY = "tables-density"
WHOLE = ("age", "fnlwgt", "hours_per_week")
SPIKES = ("capital_gain", "capital_loss")
KINDS = {**ADULT_KINDS, "education_num": "category"}
# EM's least variance of a standardised number in a cluster: its deviation is at least 0.01.
LEAST_VARIANCE = 1e-4
SMALL: dict[str, Any] = {"contenders": ["independent", "em"], "clusters": [2], "seeds": 1}
SMALL |= {"rows": 300, "held_out": 200, "epochs": 2}


class Task(NamedTuple):
    """Hold the rows of one seed.

    Attributes:
        train: the rows to fit to.
        test: the rows whose density is reported.
        clusters: K.
        seed: of the start.
        arguments: the options.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    clusters: int
    seed: int
    arguments: Namespace


def main(argv: Sequence[str]) -> None:
    parser = Parser(STUDY, __doc__, small=SMALL, full={"clusters": [5, 10, 30, 100]})
    add_cells_option(parser)
    parser.add_argument("--data-dir", type=Path, default=Path("data/tables"))
    parser.add_argument(
        "--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS)
    )
    parser.add_argument("--clusters", nargs="+", type=at_least(2), default=[5, 10], metavar="K")
    parser.add_argument("--seeds", type=at_least(1), default=5, help="how many, from --seed on")
    parser.add_argument("--rows", type=at_least(50), help="training rows, at most")
    parser.add_argument("--held-out", type=at_least(50), default=3000, help="held-out rows")
    parser.add_argument("--epochs", type=at_least(1), help="of our model; default: its own")
    arguments = parser.read(argv)
    check_installed(arguments.contenders)
    report = Report(STUDY, arguments)
    wanted = (
        {"contender": contender, "clusters": clusters, "seed": seed}
        for seed, contender in product(seeds_of(arguments), arguments.contenders)
        for clusters in ([1] if contender == "independent" else arguments.clusters)
    )
    settings = {name: getattr(arguments, name) for name in ("rows", "held_out", "epochs")}

    measure = partial(measured, arguments=arguments)
    cells = run_cells(STUDY, arguments, report, wanted, settings, measure)
    rows = summed(cells, ("contender", "clusters"), ("log_density", "seconds"))
    report.set(results=rows, machines=machines_of(cells))
    report.say(table_of(rows))
    report.close()


def measured(contender: str, clusters: int, seed: int, arguments: Namespace) -> dict[str, Any]:
    """Fit one contender; return nats a row, their standard error, and seconds of the fit."""
    train, test = drawn(seed, arguments)
    began = time.perf_counter()
    log_density = CONTENDERS[contender](Task(train, test, clusters, seed, arguments))
    figures = {"seconds": time.perf_counter() - began, "log_density": float(log_density.mean())}
    if len(log_density) > 1:
        figures["standard_error"] = float(log_density.std() / len(log_density) ** 0.5)
    return figures


def drawn(seed: int, arguments: Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make whole numbers continuous, and draw the rows that are trained on and held out."""
    rng = np.random.default_rng(seed)
    frames = []
    for name, most in (("adult", arguments.rows), ("adult-test", arguments.held_out)):
        frame = read(name, arguments.data_dir)[0].copy()
        for column in WHOLE:
            frame[column] = frame[column] + rng.random(len(frame))
        for column in SPIKES:
            cells = frame[column].to_numpy(float)
            frame[column] = np.where(cells == 0, 0, cells + rng.random(len(frame)))
        frames.append(frame.iloc[rng.permutation(len(frame))[:most]].reset_index(drop=True))
    train, test = frames
    # A level that was never trained on has no mass by any of the methods.
    seen = np.ones(len(test), bool)
    for column, kind in KINDS.items():
        if kind in ("category", "binary"):
            seen &= (test[column].isin(train[column]) | test[column].isna()).to_numpy()
    return train, test[seen].reset_index(drop=True)


def em(task: Task) -> np.ndarray:
    """Fit the mixture of per-column laws, from 10,000 rows on."""
    scale = Scale.of(task.train, KINDS)
    train = scale(task.train)
    mixture = Mixture(
        task.clusters,
        seed=task.seed,
        starts=1 if task.clusters == 1 else 5,
        least_variance=LEAST_VARIANCE,
    )
    mixture.fit(train.rows(np.arange(min(len(train), MOST_ROWS))))
    return mixture.fit_further(train).log_density(scale(task.test))


def stepmix(task: Task) -> np.ndarray:
    """Fit StepMix to all rows; it returns the mean density alone."""
    scale = Scale.of(task.train, KINDS)
    fitted = fitted_stepmix(scale(task.train), task.clusters, seed=task.seed, starts=1)
    return np.array([fitted.log_density(scale(task.test))])


def our_start(task: Task) -> np.ndarray:
    """Fit the mixture that our training begins at, whose scales of columns are ours."""
    frame = pd.concat([task.train, task.test], ignore_index=True)
    n = len(task.train)
    fitted = StartingMixture(frame, n, task.clusters, seed=task.seed, kinds=KINDS)
    return fitted.log_density()[n:]


def ours(clusters_are: str, task: Task) -> np.ndarray:
    """Train our model, which holds rows out of the training rows to stop by."""
    case = Case(
        task.train,
        KINDS,
        task.clusters,
        task.seed,
        told=True,
        options=options_of(task.arguments),
    )
    return np.asarray(our_model(case, clusters_are).score_samples(task.test), float)


Contender = Callable[[Task], np.ndarray]
CONTENDERS: dict[str, Contender] = {
    "independent": em,
    "em": em,
    "stepmix": stepmix,
    "start": our_start,
    **{name: partial(ours, name) for name in OURS},
}


def table_of(rows: Sequence[Cell]) -> str:
    """Write the figures in Markdown."""
    body = [
        [row["contender"], str(row["clusters"]), spread(row["log_density"], 2)]
        + [spread(row["seconds"], 0)]
        for row in sorted(rows, key=lambda row: (row["clusters"], row["contender"]))
    ]
    return "\n".join(markdown_table(["contender", "K", "nats a row", "seconds"], body))
