"""Write the outcomes of many cases as a table of JSON and of Markdown."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Outcome", "markdown", "write"]


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


def markdown(outcomes: Sequence[Outcome], title: str) -> str:
    """Return a table of subjects by results, and each kind of fault with its first case.

    >>> one = Outcome(0, "t.csv", "refused", (), "a byte less", 0.1)
    >>> print(markdown([one], "fuzz --n 1"))
    `fuzz --n 1`: 1 case, 0 with a fault.
    <BLANKLINE>
    | subject | refused |
    |---|---|
    | t.csv | 1 |
    <BLANKLINE>
    """
    bad = sum(bool(o.faults) for o in outcomes)
    cases = "1 case" if len(outcomes) == 1 else f"{len(outcomes)} cases"
    results = sorted({o.result for o in outcomes})
    counts = Counter((o.subject, o.result) for o in outcomes)
    lines = [f"`{title}`: {cases}, {bad} with a fault.", ""]
    lines += [f"| subject | {' | '.join(results)} |", "|---" * (len(results) + 1) + "|"]
    for subject in dict.fromkeys(o.subject for o in outcomes):
        cells = " | ".join(str(counts[subject, r] or "") for r in results)
        lines.append(f"| {subject} | {cells} |")
    by_fault = defaultdict(list)
    for outcome in outcomes:
        for fault in outcome.faults:
            by_fault[outcome.subject, fault].append(outcome.index)
    if by_fault:
        lines += ["", "| subject | fault | cases | first |", "|---|---|---|---|"]
    for (subject, fault), where in sorted(by_fault.items()):
        words = fault.replace("|", "\\|")
        lines.append(f"| {subject} | {words} | {len(where)} | {where[0]} |")
    return "\n".join(lines) + "\n"


def write(outcomes: Sequence[Outcome], title: str, out: Path | None) -> int:
    """Print the table, write ``out.json`` and ``out.md``; return 1 if there is a fault, else 0."""
    table = markdown(outcomes, title)
    print(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.with_suffix(".md").write_text(table)
        content = {"command": title, "outcomes": [asdict(o) for o in outcomes]}
        out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    return int(any(o.faults for o in outcomes))
