"""Make a table like the paper's Table 1: time to the early stop and test log-likelihood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import mean
from typing import Any

from benchmarks.measuring.summary import markdown_table, spread
from benchmarks.paper.non_inferiority import paired_difference
from benchmarks.paper.summary_table import Row, minutes, summary

__all__ = ["comparisons", "table_1"]

EXACT = "exact"


def comparisons(results: Iterable[Row], margins: Mapping[str, float]) -> list[Row]:
    """Compare each trained method with the exact one of the same data and K.

    Args:
        results: the finished cells.
        margins: for each data set the loss of log p(x) that would matter, in nats.

    Returns:
        A row for each data set, K and method. ``ratio`` is the exact method's mean time divided by
        this method's; it and ``difference`` are None where the exact method has not ended.
    """
    results = list(results)
    rows = [row for row in summary(results) if "seeds" in row]
    log_p: dict[tuple[str, int, str], dict[int, Sequence[float]]] = {}
    for result in results:
        cell = result["cell"]
        if "log_p" in result:
            key = (cell["study"]["data"], cell["clusters"], cell["method"])
            log_p.setdefault(key, {})[cell["seed"]] = result["log_p"]
    times = {key_of(row): [m for m in minutes(row) if m is not None] for row in rows}
    found = []
    for row in rows:
        key = data, k, method = key_of(row)
        exact = (data, k, EXACT)
        took, exact_took = times[key], times.get(exact)
        difference = None
        if method != EXACT:
            ours, theirs = log_p.get(key, {}), log_p.get(exact, {})
            difference = paired_difference(ours, theirs, margin=margins[data])
        samples = max(int(n.rsplit("_", 1)[1]) for n in row if n.startswith("log_likelihood_"))
        found.append(
            {
                "data": data,
                "clusters": k,
                "method": method,
                "seeds": row["seeds"],
                "minutes": took or None,
                "ratio": mean(exact_took) / mean(took) if took and exact_took else None,
                "samples": samples,
                "log_likelihood": row[f"log_likelihood_{samples}"],
                "bits_per_dim": row["bits_per_dim"],
                "difference": None if difference is None else asdict(difference),
                "margin": margins[data],
            }
        )
    return found


def table_1(rows: Sequence[Row]) -> str:
    """Write the comparisons in Markdown."""
    heads = ["data, K", "method", "seeds", "minutes to the stop", "exact's time / its", "log p(x)"]
    heads += ["log p(x) - exact's", "margin", "p if worse by the margin"]
    lines = []
    for row in rows:
        gap = row["difference"]
        lines.append(
            [
                f"{row['data']}, {row['clusters']}",
                row["method"],
                str(len(row["seeds"])),
                "n/a" if row["minutes"] is None else spread(row["minutes"], 1),
                "n/a" if row["ratio"] is None else f"{row['ratio']:.1f}",
                f"{spread(row['log_likelihood'], 2)} (S={row['samples']})",
                "" if gap is None else _written(gap),
                f"{row['margin']:.1f}",
                "" if gap is None or gap["p"] is None else f"{gap['p']:.2g}",
            ]
        )
    return "\n".join(["### Like the paper's Table 1", "", *markdown_table(heads, lines)])


def _written(gap: Row) -> str:
    """Write a difference; that of a single training has no error that would hold for others."""
    if gap["p"] is None:
        return f"{gap['nats']:+.2f} (one seed)"
    return f"{gap['nats']:+.2f} ± {gap['standard_error']:.2f}"


def key_of(row: Mapping[str, Any]) -> tuple[str, int, str]:
    """Return what names a row: data set, K and method."""
    return row["data"], row["clusters"], row["method"]
