"""Sum up a figure over seeds, and write tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, stdev

__all__ = ["markdown_table", "spread"]


def spread(values: Sequence[float | None], digits: int) -> str:
    """Write the mean and the standard deviation over seeds; None values are left out."""
    known = [value for value in values if value is not None]
    if not known:
        return "n/a"
    text = f"{mean(known):.{digits}f}"
    return text if len(known) < 2 else f"{text} ± {stdev(known):.{digits}f}"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write a table as lines of Markdown, with an empty line after it."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return [*lines, *(f"| {' | '.join(cells)} |" for cells in rows), ""]
