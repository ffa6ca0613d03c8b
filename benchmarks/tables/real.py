"""Cluster four real tables: seconds, agreement of seeds, and what the clusters are.

Each seed gives one training of all rows. Agreement is the adjusted Rand index of each pair of
seeds. No true clusters are known: the columns that are held out, such as the channel of a customer,
are shown for what they are. Ours gets the data frame and no word on its columns, unless ``--told``;
the others are told the kinds.

    python -m benchmarks tables-real --data-dir tables --out benchmarks/results/tables_real.json

Each cell is a JSON file in the folder --cells, with the clusters beside it, and the same command
goes on where it stopped.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import adjusted_rand_score

from benchmarks.measuring.finished_cells import add_cells_option, cells_folder
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.study_cells import Cell, machines_of, path_of, run_cells, summed
from benchmarks.measuring.summary import markdown_table, spread
from benchmarks.tables.contenders import CONTENDERS, Case, options_of, timed_labels
from benchmarks.tables.description import described
from benchmarks.tables.real_tables import CLUSTERED, TABLES, read
from benchmarks.tables.rivals import check_installed
from pyro_gmvae.evaluation import pairwise_ari

STUDY = "tables-real"
NAMES = ("table", "clusters", "contender")
KNOWN = [name for name in CONTENDERS if name != "em-from-truth"]
SMALL: dict[str, Any] = {"tables": ["wholesale"], "seeds": 2, "rows": 200, "epochs": 2}
SMALL |= {"contenders": ["em", "kmeans"]}


def main(argv: Sequence[str]) -> None:
    parser = Parser(STUDY, __doc__, small=SMALL, full={"seeds": 10, "contenders": KNOWN})
    add_cells_option(parser)
    parser.add_argument("--tables", nargs="+", default=CLUSTERED, choices=CLUSTERED)
    parser.add_argument("--data-dir", type=Path, default=Path("data/tables"))
    parser.add_argument(
        "--contenders", nargs="+", default=["auto", "held", "free", "em", "kmeans"], choices=KNOWN
    )
    parser.add_argument(
        "--clusters", nargs="+", type=at_least(2), metavar="K", help="default: 3 to 5, by the table"
    )
    parser.add_argument("--seeds", type=at_least(2), default=5, help="how many, from --seed on")
    parser.add_argument("--rows", type=at_least(50), help="rows of a table, at most")
    parser.add_argument("--epochs", type=at_least(1), help="of our model; default: its own")
    parser.add_argument("--told", action="store_true", help="tell our model the kinds of columns")
    arguments = parser.read(argv)
    check_installed(arguments.contenders)
    report = Report(STUDY, arguments)
    wanted = (
        {"table": table, "clusters": clusters, "contender": contender, "seed": seed}
        for table in arguments.tables
        for clusters, contender, seed in product(
            arguments.clusters or [TABLES[table].clusters],
            arguments.contenders,
            seeds_of(arguments),
        )
    )
    settings = {name: getattr(arguments, name) for name in ("rows", "epochs", "told")}

    measure = partial(measured, arguments=arguments)
    cells = run_cells(STUDY, arguments, report, wanted, settings, measure)
    rows = summed(cells, NAMES, ("seconds", "sizes", "held_out", "description"))
    for row in rows:
        row["agreement"] = agreement(row, cells_folder(STUDY, arguments))
    report.set(results=rows, machines=machines_of(cells))
    report.say(table_of(rows))
    report.close()


def measured(
    table: str, clusters: int, contender: str, seed: int, arguments: Namespace
) -> dict[str, Any]:
    """Cluster a table; the seconds are those of the clustering, without reading the file."""
    frame, held_out = read(table, arguments.data_dir)
    frame, held_out = frame[: arguments.rows], held_out[: arguments.rows]
    kinds = TABLES[table].kinds
    case = Case(
        frame[list(kinds)] if arguments.told else frame,
        kinds,
        clusters,
        seed,
        told=arguments.told,
        options=options_of(arguments),
    )
    found, seconds = timed_labels(CONTENDERS[contender], case)
    return {
        "seconds": seconds,
        "sizes": np.bincount(found, minlength=clusters).tolist(),
        "held_out": {name: index(column, found) for name, column in held_out.items()},
        "description": described(frame, kinds, found),
        "labels": found,
    }


def index(column: pd.Series, found: np.ndarray) -> float:
    """Return the adjusted Rand index of a column and the clusters, where it has no gap."""
    known = column.notna().to_numpy()
    return float(adjusted_rand_score(column[known].astype(str), found[known]))


def agreement(row: Cell, folder: Path) -> list[float]:
    """Return the adjusted Rand index of each pair of a row's seeds."""
    named = {name: row[name] for name in NAMES}
    paths = [path_of(folder, {**named, "seed": seed}) for seed in row["seeds"]]
    found = [torch.from_numpy(np.load(path.with_suffix(".npy"))).long() for path in paths]
    first, second = np.triu_indices(len(found), 1)
    return list(map(float, pairwise_ari(found)[first, second])) if len(found) > 1 else []


def table_of(rows: Sequence[Cell]) -> str:
    """Write in Markdown a table for each real table, and the clusters of the first seed."""
    lines: list[str] = []
    for table, clusters in dict.fromkeys((row["table"], row["clusters"]) for row in rows):
        here = [row for row in rows if (row["table"], row["clusters"]) == (table, clusters)]
        held_out = TABLES[table].held_out
        heads = ["contender", "agreement", "least", "seconds", *(f"ARI {n}" for n in held_out)]
        body = []
        for row in here:
            pairs = row["agreement"]
            known = [spread([found[name] for found in row["held_out"]], 2) for name in held_out]
            shown = [f"{mean(pairs):.2f}", f"{min(pairs):.2f}"] if pairs else ["n/a", "n/a"]
            body.append([row["contender"], *shown, spread(row["seconds"], 1), *known])
        lines += [f"### {table}, {clusters} clusters", "", *markdown_table(heads, body)]
        for row in here:
            lines += [f"{row['contender']}:", *(f"- {line}" for line in row["description"][0]), ""]
    return "\n".join(lines)
