"""Write outcomes by segment in the words of a report."""

from __future__ import annotations

from collections.abc import Iterator

from pyro_gmvae.segments.outcomes.results import Outcome, SegmentDescription
from pyro_gmvae.segments.outcomes.text import (
    DIFFERS,
    level_places,
    pairs_apart,
    shown_interval,
    shown_p,
    shown_value,
)

__all__ = ["outcome_cautions", "outcome_rows", "outcome_sentences"]


def outcome_cautions(found: SegmentDescription) -> tuple[str, ...]:
    """Warn of intervals that are too narrow, if that was measured.

    >>> from pyro_gmvae.segments.classification_error import ClassificationError
    >>> error = ClassificationError(((1.0,),), 0.0)
    >>> outcome_cautions(SegmentDescription((), error, "bch", "modal", 0.95))
    ()
    """
    first = found.first_step
    return () if first is None or first.trusted else (f"Other columns: {first.sentence()}",)


def outcome_rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    """Give a line for each level that is shown: its name, and the value in each segment.

    >>> from pyro_gmvae.segments.outcomes.equality import EqualityTest
    >>> from pyro_gmvae.segments.outcomes.results import Estimate, SegmentOutcome
    >>> figures = [Estimate("age", 30.0 + 20 * s, 28.0, 52.0, 1.0, None) for s in (0, 1)]
    >>> segments = tuple(SegmentOutcome(s, 50.0, 45.0, (figures[s],)) for s in (0, 1))
    >>> test = EqualityTest(100.0, 1, 1e-9)
    >>> outcome = Outcome("age", "mean", ("age",), 100, 3, segments, test, ())
    >>> list(outcome_rows(outcome))
    [('age', '30 (28 to 52)', '50 (28 to 52)')]
    """
    for place in level_places(outcome):
        values = [s.estimates[place] for s in outcome.segments]
        texts = [
            f"{shown_value(e.value, outcome.kind)} ({shown_interval(e, outcome.kind)})"
            for e in values
        ]
        yield outcome.levels[place], *texts


def outcome_sentences(outcome: Outcome) -> Iterator[str]:
    """Say of how many rows it is known, and whether segments differ.

    >>> from pyro_gmvae.segments.outcomes.equality import EqualityTest
    >>> from pyro_gmvae.segments.outcomes.results import Estimate, SegmentOutcome
    >>> figures = [Estimate("age", 30.0 + 20 * s, 28.0, 52.0, 1.0, None) for s in (0, 1)]
    >>> segments = tuple(SegmentOutcome(s, 50.0, 45.0, (figures[s],)) for s in (0, 1))
    >>> test = EqualityTest(100.0, 1, 1e-9)
    >>> outcome = Outcome("age", "mean", ("age",), 100, 3, segments, test, ())
    >>> next(outcome_sentences(outcome))
    'It is known of 100 rows, and missing in 3.'
    """
    yield f"It is known of {outcome.rows:,} rows, and missing in {outcome.gaps:,}."
    if outcome.test.p_value is not None:
        yield (
            f"That all segments are alike has {shown_p(outcome.test.p_value)}. Pairs that differ "
            f"at {DIFFERS:.0%}, by Holm: {pairs_apart(outcome) or 'none'}."
        )
