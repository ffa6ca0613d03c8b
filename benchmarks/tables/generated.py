"""Compare the clusters of generated tables of mixed columns with the true ones.

The tables have amounts, counts and levels; gaps at random; and columns of noise. Within a cluster
the columns of bar, a and c are independent, and those of b depend on one another. Other tables ask
questions of their own: in d-noise a column has 200 levels, in d-pair it tells a second one, and in
out some numbers are far off.

The figure is the adjusted Rand index. The number of clusters is told. True clusters are used for
the index only, but by ``em-from-truth``: a mixture of per-column laws begun at the true clusters,
which is the ceiling where columns are independent. Beside ours (clusters held at those of the
starting mixture, and free) stand such a mixture (``em``) and other packages. A seed draws the table
and the start, and every seed that was run is counted.

    python -m benchmarks tables-generated --out benchmarks/results/tables_generated.json

The packages of rivals: ``pip install stepmix kmodes``. Each cell is a JSON file in the folder
--cells, and the same command goes on where it stopped.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from itertools import product
from statistics import mean
from typing import Any

from sklearn.metrics import adjusted_rand_score

from benchmarks.measuring.finished_cells import add_cells_option
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.study_cells import Cell, machines_of, run_cells, summed
from benchmarks.measuring.summary import markdown_table, spread
from benchmarks.tables.contenders import CONTENDERS, OURS, Case, options_of
from benchmarks.tables.generators import DEPENDENT, GENERATORS
from benchmarks.tables.rivals import check_installed

NAMES = ("table", "gaps", "noise", "contender")
CEILING, START = "em-from-truth", "start"
SMALL: dict[str, Any] = {"tables": ["bar"], "gaps": [20], "noise": [3], "seeds": 1, "rows": 200}
SMALL |= {"contenders": ["em-from-truth", "em", "kmeans"], "epochs": 2}


def main(argv: Sequence[str]) -> None:
    parser = Parser("tables-generated", __doc__, small=SMALL, full={"seeds": 10})
    add_cells_option(parser)
    tables = ["bar", "a", "b", "c"]
    parser.add_argument("--tables", nargs="+", default=tables, choices=list(GENERATORS))
    parser.add_argument(
        "--gaps", nargs="+", type=at_least(0), default=[0, 20, 40], help="missing cells, in percent"
    )
    parser.add_argument("--noise", nargs="+", type=at_least(0), default=[3, 20], metavar="COLUMNS")
    parser.add_argument(
        "--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS)
    )
    parser.add_argument("--seeds", type=at_least(1), default=5, help="how many, from --seed on")
    parser.add_argument("--rows", type=at_least(50), default=3000)
    parser.add_argument("--epochs", type=at_least(1), help="of our model; default: its own")
    parser.add_argument("--told", action="store_true", help="tell our model the kinds of columns")
    arguments = parser.read(argv)
    check_installed(arguments.contenders)
    report = Report("tables-generated", arguments)
    orders = product(
        arguments.gaps,
        arguments.noise,
        arguments.tables,
        seeds_of(arguments),
        arguments.contenders,
    )
    wanted = (
        {"table": table, "gaps": gaps, "noise": noise, "contender": contender, "seed": seed}
        for gaps, noise, table, seed, contender in orders
    )
    settings = {name: getattr(arguments, name) for name in ("rows", "epochs", "told")}

    measure = partial(measured, arguments=arguments)
    cells = run_cells("tables-generated", arguments, report, wanted, settings, measure)
    rows = summed(cells, NAMES, ("ari", "seconds"))
    found = margins(rows)
    report.set(results=rows, margins=found, machines=machines_of(cells))
    report.say(table_of(rows))
    report.say(table_of_margins(found))
    report.close()


def measured(
    table: str, gaps: int, noise: int, contender: str, seed: int, arguments: Namespace
) -> dict[str, Any]:
    """Draw a table, cluster it, and compare with the truth."""
    drawn = GENERATORS[table](seed, arguments.rows, gaps=gaps / 100, noise=noise)
    case = Case(
        drawn.frame,
        drawn.kinds,
        drawn.clusters,
        seed,
        labels=drawn.labels,
        told=arguments.told,
        options=options_of(arguments),
    )
    found = CONTENDERS[contender](case)
    return {
        "ari": float(adjusted_rand_score(drawn.labels, found)),
        "clusters_in_use": len(set(found.tolist())),
    }


def margins(rows: Sequence[Cell]) -> list[Cell]:
    """Compare ours with the bars, in the mean over the seeds that both were run on.

    Where columns are independent the bar is the mixture begun at the truth; where they depend on
    one another it is the best of all others. ``over_start`` is beside our starting
    mixture.
    """
    index: dict[tuple[Any, ...], dict[str, dict[int, float]]] = {}
    for row in rows:
        key = (row["table"], row["gaps"], row["noise"])
        by_seed = dict(zip(row["seeds"], row["ari"], strict=True))
        index.setdefault(key, {})[row["contender"]] = by_seed
    found = []
    for (table, gaps, noise), all_ in index.items():
        rivals = [name for name in all_ if name not in (*OURS, CEILING)]
        bars = rivals if table in DEPENDENT else [CEILING]
        for name in (name for name in OURS if name in all_):
            over = {
                bar: mean(all_[name][s] - all_[bar][s] for s in shared)
                for bar in {*bars, START} & all_.keys()
                if (shared := all_[name].keys() & all_[bar].keys())
            }
            least = min((over[bar] for bar in bars if bar in over), default=None)
            found.append(
                {"table": table, "gaps": gaps, "noise": noise, "contender": name}
                | {"over_bar": least, "over_start": over.get(START)}
            )
    return found


def table_of(rows: Sequence[Cell]) -> str:
    """Write in Markdown a table for each share of gaps and number of noise columns."""
    lines: list[str] = []
    for gaps, noise in sorted({(row["gaps"], row["noise"]) for row in rows}):
        here = [row for row in rows if (row["gaps"], row["noise"]) == (gaps, noise)]
        tables = [name for name in GENERATORS if any(row["table"] == name for row in here)]
        by_name = {(row["contender"], row["table"]): row for row in here}
        lines += [f"### {gaps} % gaps, {noise} columns of noise", ""]
        body = []
        for name in (name for name in CONTENDERS if any(name == key[0] for key in by_name)):
            cells = [by_name.get((name, table)) for table in tables]
            body.append([name, *("" if c is None else spread(c["ari"], 2) for c in cells)])
        lines += markdown_table(["ARI", *tables], body)
    return "\n".join(lines)


def table_of_margins(rows: Sequence[Cell]) -> str:
    """Write `margins` in Markdown; nothing if ours took no part."""
    if not rows:
        return ""
    heads = ["table", "gaps, %", "noise", "contender", "over the bar", "over the start"]
    body = [
        [str(row[name]) for name in NAMES]
        + ["n/a" if row[m] is None else f"{row[m]:+.3f}" for m in ("over_bar", "over_start")]
        for row in rows
    ]
    return "\n".join(markdown_table(heads, body))
