"""The paper's table, from finished cells: mean and spread over seeds, time against K."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.growth import plot, slope

__all__ = ["plot_times", "summary", "table"]

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
    """One row for each data set, K and method: every figure as its values over the seeds.

    A figure of S importance samples is named after S, ``log_likelihood_500``; the others of the
    test are those of the largest S. Time and memory of cells that were only timed stand beside.
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
    """Markdown: a table of what was trained, then one of the time of an epoch against K."""
    lines = []
    for data in dict.fromkeys(row["data"] for row in rows):
        mine = [row for row in rows if row["data"] == data]
        lines += [f"### {data}", ""]
        lines += trained_table([row for row in mine if "seeds" in row])
        lines += times_table([row for row in mine if "timed_seconds_per_epoch" in row])
    return "\n".join(lines) + "\n"


def trained_table(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    estimates = [name for name in rows[0] if name.startswith("log_likelihood_")]
    bits = any(value is not None for value in rows[0]["bits_per_dim"])
    heads = ["K", "method", "seeds", *(f"log p, S={name.rsplit('_', 1)[1]}" for name in estimates)]
    heads += ["bits/dim"] * bits
    heads += ["ELBO", "clusters", "I(x;y)", "NMI", "accuracy"]
    heads += ["epochs", "minutes", "MiB"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [str(row["clusters"]), row["method"], str(len(row["seeds"]))]
        cells += [spread(row[name], 2) for name in estimates]
        cells += [spread(row["bits_per_dim"], 3)] * bits
        cells += [spread(row["elbo"], 2), spread(row["clusters_in_use"], 1)]
        cells += [spread(row["mutual_information"], 2)]
        cells += [spread(row["nmi"], 3), spread(row["accuracy"], 3), spread(row["epochs"], 0)]
        cells += [spread(minutes(row), 2)]
        cells += ["n/a" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**20:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def minutes(row: Row) -> list[float | None]:
    """To the early stop, at the pace that was timed by itself: trainings may run side by side."""
    pace = row.get("timed_seconds_per_epoch")
    return [None if pace is None else epochs * pace / 60 for epochs in row["epochs"]]


def times_table(rows: Sequence[Row]) -> list[str]:
    """Seconds of an epoch, methods down, K across."""
    if not rows:
        return []
    ks = sorted({row["clusters"] for row in rows})
    lines = [
        f"| seconds per epoch at K = | {' | '.join(map(str, ks))} | slope |",
        "|---" * (len(ks) + 2) + "|",
    ]
    for method, curve in curves(rows).items():
        cells = [f"{curve[k]:.2f}" if k in curve else "" for k in ks]
        grows = slope(curve)
        lines.append(
            f"| {method} | {' | '.join(cells)} | {'' if grows is None else f'{grows:.2f}'} |"
        )
    return [*lines, ""]


def curves(rows: Iterable[Row]) -> dict[str, dict[int, float]]:
    """Each method's seconds of an epoch against K."""
    found: dict[str, dict[int, float]] = {}
    for row in sorted(rows, key=lambda row: row["clusters"]):
        if "timed_seconds_per_epoch" in row:
            found.setdefault(row["method"], {})[row["clusters"]] = row["timed_seconds_per_epoch"]
    return found


def spread(values: Sequence[float | None], digits: int) -> str:
    """Mean and standard deviation over seeds."""
    known = [value for value in values if value is not None]
    if not known:
        return "n/a"
    text = f"{mean(known):.{digits}f}"
    return text if len(known) < 2 else f"{text} ± {stdev(known):.{digits}f}"


def plot_times(rows: Sequence[Row], file: Path) -> None:
    """Seconds of an epoch against K, a panel for each data set."""
    found = {
        f"{data}, seconds per epoch": curves(row for row in rows if row["data"] == data)
        for data in dict.fromkeys(row["data"] for row in rows)
    }
    timed = {title: curve for title, curve in found.items() if curve}
    if timed:
        plot(timed, file)
