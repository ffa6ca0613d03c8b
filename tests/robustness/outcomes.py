"""Sum the outcomes of many cases up, in JSON and as tables of Markdown."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyro_gmvae import __version__

__all__ = ["Outcome", "markdown", "summary", "write"]


@dataclass(frozen=True)
class Outcome:
    """Hold how one case ended.

    Attributes:
        index: its number; with the seed it makes the case again.
        subject: what was tried.
        result: one word for the table.
        faults: what went wrong, each in a line.
        story: what was done.
        seconds: its duration.
    """

    index: int
    subject: str
    result: str
    faults: tuple[str, ...]
    story: str
    seconds: float


def summary(outcomes: Sequence[Outcome], command: str) -> dict[str, Any]:
    """Return how often each subject had each result, and all cases with a fault."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        counts[outcome.subject][outcome.result] += 1
    return {
        "command": command,
        "version": __version__,
        "cases": len(outcomes),
        "longest_seconds": round(max((o.seconds for o in outcomes), default=0.0), 1),
        "counts": {subject: dict(found) for subject, found in sorted(counts.items())},
        "faults": [asdict(o) for o in outcomes if o.faults],
    }


def markdown(summed: dict[str, Any]) -> str:
    """Return a table of subjects by results, and one of the faults with their first case.

    >>> one = Outcome(0, "x.csv", "refused", (), "a byte less", 0.1)
    >>> print(markdown(summary([one], "fuzz --n 1")))
    `fuzz --n 1`: 1 case, 0 with a fault.
    <BLANKLINE>
    | subject | refused |
    |---|---|
    | x.csv | 1 |
    <BLANKLINE>
    """
    counts, bad = summed["counts"], len(summed["faults"])
    cases = "1 case" if summed["cases"] == 1 else f"{summed['cases']:,} cases"
    results = sorted({result for found in counts.values() for result in found})
    lines = [f"`{summed['command']}`: {cases}, {bad} with a fault.", ""]
    lines += [f"| subject | {' | '.join(results)} |", "|---" * (len(results) + 1) + "|"]
    for subject, found in counts.items():
        lines.append(f"| {subject} | {' | '.join(str(found.get(r, '')) for r in results)} |")
    by_fault: dict[tuple[str, str], list[int]] = defaultdict(list)
    for outcome in summed["faults"]:
        for fault in outcome["faults"]:
            by_fault[outcome["subject"], fault].append(outcome["index"])
    if by_fault:
        lines += ["", "| subject | fault | cases | first |", "|---|---|---|---|"]
    for (subject, fault), where in sorted(by_fault.items()):
        words = fault.replace("|", "\\|")
        lines.append(f"| {subject} | {words} | {len(where)} | {where[0]} |")
    return "\n".join(lines) + "\n"


def write(outcomes: Sequence[Outcome], command: str, out: Path | None) -> int:
    """Print the tables, and write ``out`` as JSON; return 1 if there is a fault, else 0."""
    summed = summary(outcomes, command)
    print(markdown(summed))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(summed, indent=1) + "\n")
    return int(bool(summed["faults"]))
