"""Write outcomes by segment in the words of a report."""

from __future__ import annotations

from collections.abc import Iterator

from pyro_gmvae.segments.outcomes.results import Outcome
from pyro_gmvae.segments.outcomes.text import DIFFERS, level_places, shown_p, shown_value

__all__ = ["interval_text", "outcome_rows", "outcome_sentences"]


def outcome_rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    """Give a line for each level that is shown: its name, and the value in each segment."""
    for place in level_places(outcome):
        values = [s.estimates[place] for s in outcome.segments]
        texts = [
            f"{shown_value(e.value, outcome.kind)} ({interval_text(e.low, e.high, outcome)})"
            for e in values
        ]
        yield outcome.levels[place], *texts


def interval_text(low: float, high: float, outcome: Outcome) -> str:
    """Write an interval."""
    return f"{shown_value(low, outcome.kind)} to {shown_value(high, outcome.kind)}"


def outcome_sentences(outcome: Outcome) -> Iterator[str]:
    """Say of how many rows it is known, and whether segments differ."""
    yield f"It is known of {outcome.rows:,} rows, and missing in {outcome.gaps:,}."
    if outcome.test.p_value is not None:
        apart = [p for p in outcome.pairs if p.p_holm is not None and p.p_holm < DIFFERS]
        pairs = ", ".join(f"{p.first} and {p.second}" for p in apart) or "none"
        yield (
            f"That all segments are alike has {shown_p(outcome.test.p_value)}. Pairs that differ "
            f"at {DIFFERS:.0%}, by Holm: {pairs}."
        )
