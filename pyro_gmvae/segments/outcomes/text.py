"""Write how outcomes differ by segment as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from pyro_gmvae.data.columns.dates import DAY, timestamps
from pyro_gmvae.segments.outcomes.columns import OutcomeKind
from pyro_gmvae.segments.outcomes.results import Estimate, Outcome, SegmentDescription
from pyro_gmvae.visible import visible

__all__ = [
    "DIFFERS",
    "aligned",
    "level_places",
    "pairs_apart",
    "segments_sentence",
    "shown_interval",
    "shown_p",
    "shown_value",
    "text_of",
]

BLURRED = 0.05  # of the rows in another segment, from which intervals of known segments mislead
DIFFERS = 0.05  # adjusted p-value below which two segments are said to differ
WORDS = {"mean": "mean", "date": "mean date", "share": "shares"}
CORRECTIONS = {"bch": "BCH", "ml": "maximum likelihood"}


def text_of(description: SegmentDescription) -> str:
    """Write all outcomes, one table each, and how they were corrected.

    >>> from pyro_gmvae.segments.classification_error import ClassificationError
    >>> error = ClassificationError(((0.9, 0.1), (0.1, 0.9)), 0.1)
    >>> text_of(SegmentDescription((), error, "bch", "modal", 0.95)).split(". ")[0]
    'By the model, 10.0% of the rows are not in their likeliest segment'
    """
    error = description.error
    closing = (
        f"By the model, {error.rate:.1%} of the rows are not in their likeliest segment. Values "
        f"are corrected for this by {CORRECTIONS[description.correction]} with "
        f"{description.assignment} assignment. {segments_sentence(description)}"
    )
    each = [_table(outcome, description.confidence) for outcome in description]
    return "\n\n".join([*each, closing])


def segments_sentence(description: SegmentDescription) -> str:
    """Say whether the intervals count that the segments were estimated, and can be trusted.

    >>> from pyro_gmvae.segments.classification_error import ClassificationError
    >>> error = ClassificationError(((1.0,),), 0.0)
    >>> segments_sentence(SegmentDescription((), error, "bch", "modal", 0.95))
    'The intervals take the segments as known.'
    """
    if description.first_step is not None:
        return description.first_step.sentence()
    if description.error.rate < BLURRED:
        return "The intervals take the segments as known."
    return (
        "The intervals take the segments as known. Where so many rows are uncertain, they are too "
        "narrow if the segments were estimated from few rows."
    )


def _table(outcome: Outcome, confidence: float) -> str:
    of_all = f"{outcome.rows:,} of {outcome.rows + outcome.gaps:,} rows known"
    leveled = outcome.kind == "share"
    heads = ["segment", "rows", "value", f"{confidence:.0%} interval", "uncorrected"]
    lines = [[*(["level"] if leveled else []), *heads]]
    for place in level_places(outcome):
        level = outcome.levels[place]
        for segment in outcome.segments:
            e = segment.estimates[place]
            plain = "" if e.uncorrected is None else shown_value(e.uncorrected, outcome.kind)
            row = [f"{segment.segment}", f"{segment.rows:,.0f}", shown_value(e.value, outcome.kind)]
            row += [shown_interval(e, outcome.kind), plain]
            lines.append([*([visible(level)] if leveled else []), *row])
    title = f"{visible(outcome.name)}: {WORDS[outcome.kind]} by segment, {of_all}"
    return "\n".join([title, *aligned(lines), *_tests(outcome)])


def _tests(outcome: Outcome) -> Iterator[str]:
    if outcome.test.p_value is None:
        return
    yield f"All segments alike: {shown_p(outcome.test.p_value)}."
    if len(outcome.pairs) > 1:
        yield f"Pairs that differ (Holm, {DIFFERS:.0%}): {pairs_apart(outcome) or 'no two'}."


def pairs_apart(outcome: Outcome) -> str:
    """List the pairs of segments that differ, by their adjusted p-values; empty for none.

    >>> from pyro_gmvae.segments.outcomes.equality import EqualityTest
    >>> from pyro_gmvae.segments.outcomes.results import Pair
    >>> pairs = Pair(0, 1, 0.01, 0.02, ()), Pair(0, 2, 0.3, 0.3, ())
    >>> pairs_apart(Outcome("a", "mean", ("a",), 1, 0, (), EqualityTest(0.0, 0, None), pairs))
    '0 and 1'
    """
    apart = (p for p in outcome.pairs if p.p_holm is not None and p.p_holm < DIFFERS)
    return ", ".join(f"{p.first} and {p.second}" for p in apart)


def shown_p(p: float) -> str:
    """Write a p-value.

    >>> shown_p(0.0000001), shown_p(0.0312)
    ('p < 0.001', 'p = 0.031')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def level_places(outcome: Outcome) -> range:
    """Return the places of the levels to show: of two, the second tells the first.

    >>> from pyro_gmvae.segments.outcomes.equality import EqualityTest
    >>> level_places(Outcome("a", "share", ("no", "yes"), 1, 0, (), EqualityTest(0.0, 0, None), ()))
    range(1, 2)
    """
    return range(int(len(outcome.levels) == 2), len(outcome.levels))


def shown_interval(estimate: Estimate, kind: OutcomeKind) -> str:
    """Write the interval of an estimate.

    >>> shown_interval(Estimate("yes", 0.2, 0.15, 0.25, 0.02, None), "share")
    '15.0% to 25.0%'
    """
    return f"{shown_value(estimate.low, kind)} to {shown_value(estimate.high, kind)}"


def shown_value(value: float, kind: OutcomeKind) -> str:
    """Write a mean, a mean date or a share.

    >>> shown_value(0.257, "share"), shown_value(1234.5, "mean")
    ('25.7%', '1,234')
    """
    if kind == "share":
        return f"{min(max(value, 0.0), 1.0):.1%}"
    if kind == "date":
        return str(timestamps(np.array([value]), DAY)[0])[:10]
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Set the cells of a table under one another, to the right.

    >>> aligned([["a", "value"], ["10", "3"]])
    [' a  value', '10      3']
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(chain(map(str.rjust, line, widths))).rstrip() for line in lines]
