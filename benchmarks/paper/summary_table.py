"""Make the paper's table from finished cells: mean and spread over seeds, time against K."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring.growth_curve import plot, slope
from benchmarks.measuring.summary import markdown_table, spread

__all__ = ["Row", "minutes", "plot_times", "summary", "table"]

Row = dict[str, Any]
PER_SEED = ("epochs", "seconds", "seconds_per_epoch")
OF_TEST = (
    "log_likelihood",
    "bits_per_dim",
    "elbo",
    "pareto_k_bad_fraction",
    "clusters_in_use",
    "mutual_information",
    "accuracy",
    "nmi",
)


def summary(results: Iterable[Row]) -> list[Row]:
    """Make a row for each data set, K and method: every figure as its values over the seeds.

    A figure of S importance samples is named after S, ``log_likelihood_500``; the other test
    figures are those of the largest S. The time of a cell that was only timed is
    ``timed_seconds_per_epoch``.
    """
    rows: dict[tuple[str, int, str], Row] = {}
    for result in results:
        cell = result["cell"]
        data, k, method = cell["study"]["data"], cell["clusters"], cell["method"]
        row = rows.setdefault((data, k, method), {"data": data, "clusters": k, "method": method})
        row["peak_bytes"] = max(result["peak_bytes"] or 0, row.get("peak_bytes") or 0) or None
        if cell["timed"]:
            row["timed_seconds_per_epoch"] = result["seconds_per_epoch"]
            continue
        row.setdefault("seeds", []).append(cell["seed"])
        found = {name: result[name] for name in PER_SEED}
        for test in result["test"]:
            found[f"log_likelihood_{test['num_samples']}"] = test["log_likelihood"]
        found |= {name: result["test"][-1].get(name) for name in OF_TEST}
        for name, value in found.items():
            row.setdefault(name, []).append(value)
    return list(rows.values())


def table(rows: Sequence[Row]) -> str:
    """Write in Markdown a table of the trained cells, then one of an epoch's time against K."""
    lines = []
    for data in dict.fromkeys(row["data"] for row in rows):
        mine = [row for row in rows if row["data"] == data]
        lines += [f"### {data}", ""]
        lines += trained_table([row for row in mine if "seeds" in row])
        lines += times_table([row for row in mine if "timed_seconds_per_epoch" in row])
    return "\n".join(lines) + "\n"


def trained_table(rows: Sequence[Row]) -> list[str]:
    """Write the table of the trained cells, a row for each K and method."""
    if not rows:
        return []
    estimates = [name for name in rows[0] if name.startswith("log_likelihood_")]
    bits = any(value is not None for value in rows[0]["bits_per_dim"])
    heads = ["K", "method", "seeds", *(f"log p, S={name.rsplit('_', 1)[1]}" for name in estimates)]
    heads += ["bits/dim"] * bits
    heads += ["ELBO", "clusters", "I(x;y)", "NMI", "accuracy"]
    heads += ["epochs", "minutes", "MiB"]
    lines = []
    for row in rows:
        cells = [str(row["clusters"]), row["method"], str(len(row["seeds"]))]
        cells += [spread(row[name], 2) for name in estimates]
        cells += [spread(row["bits_per_dim"], 3)] * bits
        cells += [spread(row["elbo"], 2), spread(row["clusters_in_use"], 1)]
        cells += [spread(row["mutual_information"], 2)]
        cells += [spread(row["nmi"], 3), spread(row["accuracy"], 3), spread(row["epochs"], 0)]
        cells += [spread(minutes(row), 2)]
        cells += ["n/a" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**20:.0f}"]
        lines.append(cells)
    return markdown_table(heads, lines)


def minutes(row: Row) -> list[float | None]:
    """Return the minutes to the early stop at the pace of the timed cell.

    Trainings may run side by side, so that their own times are no measure.
    """
    pace = row.get("timed_seconds_per_epoch")
    return [None if pace is None else epochs * pace / 60 for epochs in row["epochs"]]


def times_table(rows: Sequence[Row]) -> list[str]:
    """Write the table of an epoch's seconds, a row for each method, a column for each K."""
    if not rows:
        return []
    ks = sorted({row["clusters"] for row in rows})
    heads = ["seconds per epoch at K =", *map(str, ks), "slope"]
    lines = []
    for method, curve in curves(rows).items():
        grows = slope(curve)
        cells = [method, *(f"{curve[k]:.2f}" if k in curve else "" for k in ks)]
        lines.append([*cells, "" if grows is None else f"{grows:.2f}"])
    return markdown_table(heads, lines)


def curves(rows: Iterable[Row]) -> dict[str, dict[int, float]]:
    """Return each method's seconds of an epoch against K."""
    found: dict[str, dict[int, float]] = {}
    for row in sorted(rows, key=lambda row: row["clusters"]):
        if "timed_seconds_per_epoch" in row:
            found.setdefault(row["method"], {})[row["clusters"]] = row["timed_seconds_per_epoch"]
    return found


def plot_times(rows: Sequence[Row], file: Path) -> None:
    """Draw an epoch's seconds against K, a panel for each data set with two K or more."""
    found = {
        f"{data}, seconds per epoch": curves(row for row in rows if row["data"] == data)
        for data in dict.fromkeys(row["data"] for row in rows)
    }
    timed = {
        title: by_method
        for title, by_method in found.items()
        if any(len(curve) > 1 for curve in by_method.values())
    }
    if timed:
        plot(timed, file)
