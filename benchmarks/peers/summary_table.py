"""Make the table of peers: medians over rounds, and ratios of our times to theirs."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.measuring.report import Report
from benchmarks.measuring.timing import ratio
from benchmarks.peers.registry import AIMS, OURS

__all__ = ["Rows", "summarise"]

Rows = dict[str, list[dict[str, Any]]]  # by peer, one row for each round

MIB = 2**20
PHASES = (
    "pretraining_seconds_per_epoch",
    "first_mixture_seconds",
    "last_mixture_seconds",
    "iterations",
)
COLUMNS = ("s/epoch", "s in all", "MiB", "above imports", "parameters", "accuracy", "nats/image")


def summarise(rows: Rows, report: Report) -> None:
    """Report the medians and the ratios."""
    found = {name: summary(mine) for name, mine in rows.items()}
    report.say("\nMedians over rounds; an epoch's without the first one of each round")
    report.header("peer            ", *COLUMNS)
    for name, values in found.items():
        report.line(name, *cells(values))
    report.say()
    for line in footnotes(found):
        report.say(line)
    ratios = {name: ratios_of(rows, name) for name in OURS if name in rows}
    report.set(summary=found, ratios=ratios, aims={n: aim for n, (aim, _) in AIMS.items()})
    theirs = [name for name in AIMS if rows.get(name)]
    if not theirs or not ratios:
        return
    report.say(
        "\nSeconds per epoch, ours over theirs; the last line has the aims of those marked *"
    )
    report.header("ours            ", *theirs)
    for name, values in ratios.items():
        report.line(name, *(starred(values[t], name in AIMS[t][1]) for t in theirs))
    report.line("at most", *(f"{AIMS[t][0]:.2f}" for t in theirs))


def footnotes(found: dict[str, dict[str, Any]]) -> list[str]:
    """Define the likelihoods, and list the phases of training that are in no epoch."""
    names: dict[str, list[str]] = {}
    for name, values in found.items():
        names.setdefault(values["log_likelihood_is"], []).append(name)
    lines = [f"nats/image of {', '.join(n)}: {what}" for what, n in names.items() if what]
    for name, values in found.items():
        phases = {p.replace("_", " "): values[p] for p in PHASES if values.get(p) is not None}
        if phases:
            lines.append(f"{name}: " + ", ".join(f"{p} {v:.3g}" for p, v in phases.items()))
    return lines


def measured(row: dict[str, Any]) -> list[float]:
    """Return the seconds of a round's epochs without the first, unless there is only one.

    The first epoch warms up or compiles.
    """
    epochs = row["epoch_seconds"]
    return epochs[1:] or epochs


def middle(rows: list[dict[str, Any]], name: str) -> float | None:
    """Return the median over the rounds that have this figure."""
    values = [row[name] for row in rows if row.get(name) is not None]
    return median(values) if values else None


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one peer's medians."""
    epochs = [seconds for row in rows for seconds in measured(row)]
    plain = (
        "training_seconds",
        "training_cpu_seconds",
        "peak_bytes",
        "peak_bytes_above_imports",
        "peak_device_bytes",
    )
    names = (*plain, "parameters", "accuracy", "log_likelihood")
    firsts = [row["epoch_seconds"][0] for row in rows if row["epoch_seconds"]]
    return {
        "first_epoch_seconds": median(firsts) if firsts else None,
        "seconds_per_epoch": median(epochs) if epochs else None,
        "epochs_measured": len(epochs),
        **{name: middle(rows, name) for name in names},
        **{name: middle(rows, name) for name in PHASES if name in rows[0]},
        "log_likelihood_is": rows[0]["log_likelihood_is"],
    }


def cells(values: dict[str, Any]) -> list[str | None]:
    """Write a summary as the table shows it."""

    def text(name: str, form: str, scale: float = 1.0) -> str | None:
        value = values[name]
        return None if value is None else format(value / scale, form)

    return [
        text("seconds_per_epoch", ".2f"),
        text("training_seconds", ".1f"),
        text("peak_bytes", ".0f", MIB),
        text("peak_bytes_above_imports", ".0f", MIB),
        text("parameters", ",.0f"),
        text("accuracy", ".3f"),
        text("log_likelihood", ".1f"),
    ]


def ratios_of(rows: Rows, name: str) -> dict[str, float | None]:
    """Divide seconds per epoch by those of each peer; the median over rounds of each ratio."""
    found: dict[str, float | None] = {}
    for other in AIMS:
        by_seed = {row["seed"]: measured(row) for row in rows.get(other, [])}
        shared = [row for row in rows[name] if row["seed"] in by_seed]
        times = [measured(row) for row in shared]
        found[other] = ratio(times, [by_seed[row["seed"]] for row in shared]) if shared else None
    return found


def starred(value: float | None, has_aim: bool) -> str | None:
    """Write a ratio, with a star if there is an aim for it."""
    return None if value is None else f"{value:.2f}{'*' if has_aim else ' '}"
