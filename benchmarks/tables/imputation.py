"""Fill hidden cells of mixed tables, and compare them with what was hidden.

The training rows have 20 % gaps, other rows of the table 50 %, and the latter are completed. The
figures are the error of numbers and counts (root mean square, on the standardised scale that they
are clustered on, which is a logarithm for amounts and counts), and the share of levels that are
right. Spikes of adult are judged by whether the cell is the usual value. Beside ours stand the
reference mixture, scikit-learn's imputers on one-hot columns, and the mean or the most frequent
level. ``em-20`` and ``auto-20`` have 20 clusters, which suits filling better than the true number.
A seed draws table, gaps and start.

    python -m benchmarks tables-imputation --out benchmarks/results/tables_imputation.json

Each cell is a JSON file in the folder --cells, and the same command goes on where it stopped.
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from benchmarks.measuring.finished_cells import add_cells_option
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.study_cells import Cell, machines_of, run_cells, summed
from benchmarks.measuring.summary import markdown_table, spread
from benchmarks.tables.contenders import OURS, Case, options_of, our_model
from benchmarks.tables.encoding import NUMBERS, Encoded, Scale, hidden
from benchmarks.tables.generators import GENERATORS
from benchmarks.tables.mixture import Mixture
from benchmarks.tables.real_tables import TABLES, read

STUDY = "tables-imputation"
FIGURES = ("numbers", "counts", "levels", "seconds")
GAPS_OF_TRAINING, GAPS = 0.2, 0.5
MANY = 20  # clusters, for filling alone
SMALL: dict[str, Any] = {"tables": ["bar"], "rows": 200, "seeds": 1, "epochs": 2}
SMALL |= {"contenders": ["mean", "knn", "em"]}


def main(argv: Sequence[str]) -> None:
    parser = Parser(STUDY, __doc__, small=SMALL, full={"seeds": 10})
    add_cells_option(parser)
    tables = ["bar", "a", "b", "c", "adult"]
    parser.add_argument("--tables", nargs="+", default=["bar", "a", "b"], choices=tables)
    parser.add_argument(
        "--data-dir", type=Path, default=Path("data/tables"), help="folder of adult"
    )
    parser.add_argument(
        "--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS)
    )
    parser.add_argument("--seeds", type=at_least(1), default=5, help="how many, from --seed on")
    parser.add_argument(
        "--rows", type=at_least(50), default=2000, help="to train on, and to complete"
    )
    parser.add_argument("--epochs", type=at_least(1), help="of our model; default: its own")
    parser.add_argument("--told", action="store_true", help="tell our model the kinds of columns")
    arguments = parser.read(argv)
    report = Report(STUDY, arguments)
    orders = product(arguments.tables, seeds_of(arguments), arguments.contenders)
    wanted = (
        {"table": table, "contender": contender, "seed": seed} for table, seed, contender in orders
    )
    settings = {name: getattr(arguments, name) for name in ("rows", "epochs", "told")}

    measure = partial(measured, arguments=arguments)
    cells = run_cells(STUDY, arguments, report, wanted, settings, measure)
    rows = summed(cells, ("table", "contender"), FIGURES)
    report.set(results=rows, machines=machines_of(cells))
    report.say(table_of(rows))
    report.close()


def measured(table: str, contender: str, seed: int, arguments: Namespace) -> dict[str, Any]:
    """Complete the rows of a table; the seconds are of training and completing."""
    frame, kinds, clusters = drawn(table, seed, arguments)
    rng = np.random.default_rng(seed)
    train = hidden(frame[: arguments.rows], GAPS_OF_TRAINING, rng)
    complete = frame[arguments.rows :].reset_index(drop=True)
    gappy = hidden(complete, GAPS, rng)
    case = Case(
        train,
        kinds,
        clusters,
        seed,
        told=arguments.told,
        options=options_of(arguments),
    )
    # The scale of the figures alone sees the hidden cells.
    scale = Scale.of(frame, kinds)
    began = time.perf_counter()
    found = CONTENDERS[contender](case, gappy, scale)
    seconds = time.perf_counter() - began
    return {**scores(scale(complete), scale(gappy), found, kinds), "seconds": seconds}


def drawn(table: str, seed: int, arguments: Namespace) -> tuple[pd.DataFrame, dict[str, str], int]:
    """Draw twice as many complete rows as are trained on, with kinds and clusters."""
    if table != "adult":
        made = GENERATORS[table](seed, 2 * arguments.rows, gaps=0, noise=3)
        return made.frame, made.kinds, made.clusters
    frame, kinds = read("adult", arguments.data_dir)[0], dict(TABLES["adult"].kinds)
    rows = np.random.default_rng(seed).permutation(len(frame))[: 2 * arguments.rows]
    return frame.iloc[rows].reset_index(drop=True), kinds, 6


def scores(
    truth: Encoded, gappy: Encoded, found: Encoded, kinds: dict[str, str]
) -> dict[str, float | None]:
    """Compare the cells that were hidden with what was found; None where a kind has no column."""
    spikes = [kind == "spike" for kind in kinds.values() if kind in NUMBERS]
    wanted = ~np.isnan(truth.numbers) & np.isnan(gappy.numbers) & ~np.array(spikes, bool)
    counted = ~np.isnan(truth.counts) & np.isnan(gappy.counts)
    leveled = (truth.codes >= 0) & (gappy.codes < 0)
    right = [
        float((truth.codes[rows, j] == found.codes[rows, j]).mean())
        for j, rows in enumerate(leveled.T)
        if rows.any()
    ]
    return {
        "numbers": _error(truth.numbers, found.numbers, wanted),
        "counts": _error(truth.standard_counts, found.standard_counts, counted),
        "levels": float(np.mean(right)) if right else None,
    }


def _error(truth: np.ndarray, found: np.ndarray, cells: np.ndarray) -> float | None:
    if not cells.any():
        return None
    return float(np.sqrt(np.mean((truth[cells] - found[cells]) ** 2)))


def of_matrix(imputer: Any, case: Case, gappy: pd.DataFrame, scale: Scale) -> Encoded:
    """Complete by an imputer of scikit-learn's, on numbers, counts and one-hot levels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # four rounds are what was asked for
        imputer.fit(scale(case.frame).matrix)
    table = scale(gappy)
    return from_matrix(table, imputer.transform(table.matrix))


def from_matrix(table: Encoded, matrix: np.ndarray) -> Encoded:
    """Read a completed `Encoded.matrix` back; the level with the largest entry is taken."""
    numbers, counts = table.numbers.shape[1], table.counts.shape[1]
    mean, deviation = table.count_scale
    levels = matrix[:, numbers + counts :]
    blocks = zip(table.offsets, table.offsets[1:], strict=False)
    codes = [levels[:, start:end].argmax(1) for start, end in blocks]
    return replace(
        table,
        numbers=matrix[:, :numbers],
        counts=np.expm1(matrix[:, numbers : numbers + counts] * deviation + mean),
        codes=np.stack(codes, 1) if codes else table.codes,
    )


def mean(case: Case, gappy: pd.DataFrame, scale: Scale) -> Encoded:
    """Complete by the means, and the most frequent levels."""
    return of_matrix(SimpleImputer(keep_empty_features=True), case, gappy, scale)


def knn(case: Case, gappy: pd.DataFrame, scale: Scale) -> Encoded:
    """Complete by the ten nearest rows."""
    return of_matrix(KNNImputer(n_neighbors=10, keep_empty_features=True), case, gappy, scale)


def iterative(case: Case, gappy: pd.DataFrame, scale: Scale) -> Encoded:
    """Complete by regressions of each column on the others, four rounds."""
    imputer = IterativeImputer(
        max_iter=4,
        n_nearest_features=15,
        random_state=case.seed,
        tol=1e-2,
        keep_empty_features=True,
    )
    return of_matrix(imputer, case, gappy, scale)


def em(clusters: int | None, case: Case, gappy: pd.DataFrame, scale: Scale) -> Encoded:
    """Complete by the reference mixture: means, and the likeliest levels."""
    train, table = scale(case.frame), scale(gappy)
    mixture = Mixture(clusters or case.clusters, seed=case.seed, starts=5).fit(train)
    return from_matrix(table, mixture.expected(table))


def ours(
    clusters_are: str, case: Case, gappy: pd.DataFrame, scale: Scale, *, clusters: int | None = None
) -> Encoded:
    """Complete by our model, in the columns' own units."""
    case = replace(case, clusters=clusters or case.clusters)
    return scale(our_model(case, clusters_are).impute(gappy))


Contender = Callable[[Case, pd.DataFrame, Scale], Encoded]
CONTENDERS: dict[str, Contender] = {
    "mean": mean,
    "knn": knn,
    "iterative": iterative,
    "em": partial(em, None),
    "em-20": partial(em, MANY),
    **{name: partial(ours, name) for name in OURS},
    "auto-20": partial(ours, "auto", clusters=MANY),
}


def table_of(rows: Sequence[Cell]) -> str:
    """Write in Markdown a table for each table."""
    lines: list[str] = []
    heads = ["contender", "numbers, RMSE", "counts, RMSE", "levels, right", "seconds"]
    for table in dict.fromkeys(row["table"] for row in rows):
        body = [
            [
                row["contender"],
                *(spread(row[name], 1 if name == "seconds" else 3) for name in FIGURES),
            ]
            for row in rows
            if row["table"] == table
        ]
        lines += [f"### {table}", "", *markdown_table(heads, body)]
    return "\n".join(lines)
