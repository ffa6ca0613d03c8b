"""Hold how outcomes differ by segment, as plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.segments.classification_error import Assignment, ClassificationError
from pyro_gmvae.segments.outcomes.columns import OutcomeKind
from pyro_gmvae.segments.outcomes.equality import EqualityTest
from pyro_gmvae.segments.refitting.refit import FirstStep

if TYPE_CHECKING:
    import pandas

__all__ = ["Estimate", "Outcome", "Pair", "SegmentDescription", "SegmentOutcome"]


@dataclass(frozen=True)
class Estimate:
    """Hold a mean or a share in a segment, or a difference of two.

    Attributes:
        level: the level that it is the share of; of a number, the name of the column.
        value: corrected for classification error. A share by BCH may be a little below 0 or above
            1, where it means none or all.
        low: lower end of the interval.
        high: upper end of the interval.
        standard_error: robust, of ``value``.
        uncorrected: the plain figure of the rows whose likeliest segment it is; None without rows.

    >>> Estimate("revenue", 120.0, 110.0, 130.0, 5.0, 118.0).value
    120.0
    """

    level: str
    value: float
    low: float
    high: float
    standard_error: float
    uncorrected: float | None


@dataclass(frozen=True)
class SegmentOutcome:
    """Hold an outcome in one segment.

    Attributes:
        segment: the number of the segment.
        rows: the expected number of its rows where the outcome is known.
        effective_rows: the number of certain rows that would tell as much; fewer if rows are torn.
        estimates: one for a number, one for each level otherwise.

    >>> SegmentOutcome(0, 90.5, 80.0, ()).rows
    90.5
    """

    segment: int
    rows: float
    effective_rows: float
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class Pair:
    """Hold how two segments differ.

    Attributes:
        first: the number of a segment.
        second: the number of another.
        p_value: of the test that both have one law (of a number: one mean).
        p_holm: that p-value, adjusted by Holm for the number of pairs of this outcome.
        differences: first less second; their intervals are not adjusted.

    >>> Pair(0, 1, 0.01, 0.03, ()).p_holm
    0.03
    """

    first: int
    second: int
    p_value: float | None
    p_holm: float | None
    differences: tuple[Estimate, ...]


@dataclass(frozen=True)
class Outcome:
    """Hold an outcome in all segments.

    Attributes:
        name: the name of the column.
        kind: ``"mean"``, ``"date"`` (a mean in days since 1970-01-01) or ``"share"``.
        levels: the names of its levels; of a number, its own name.
        rows: the number of rows where it is known.
        gaps: the number of rows where it is not; they are left out.
        segments: its figures in each segment; those without rows are left out.
        test: of the hypothesis that all segments have one law (of a number: one mean).
        pairs: the differences of each two segments.

    >>> test = EqualityTest(0.0, 0, None)
    >>> Outcome("churn", "share", ("no", "yes"), 100, 0, (), test, ()).levels
    ('no', 'yes')
    """

    name: str
    kind: OutcomeKind
    levels: tuple[str, ...]
    rows: int
    gaps: int
    segments: tuple[SegmentOutcome, ...]
    test: EqualityTest
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class SegmentDescription:
    """Hold how columns that were not clustered on differ by segment.

    Attributes:
        outcomes: one for each column.
        error: how often the likeliest segment of a row is not its own.
        correction: ``"bch"`` or ``"ml"``.
        assignment: ``"proportional"`` or ``"modal"``.
        confidence: the probability of the intervals.
        first_step: how far the segments themselves are known; None if they were not fitted again.

    ``print`` shows it as tables, ``[name]`` gives the outcome of a column.

    >>> error = ClassificationError(((1.0,),), 0.0)
    >>> len(SegmentDescription((), error, "bch", "modal", 0.95))
    0
    """

    outcomes: tuple[Outcome, ...]
    error: ClassificationError
    correction: str
    assignment: Assignment
    confidence: float
    first_step: FirstStep | None = None

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def __getitem__(self, name: str) -> Outcome:
        for outcome in self.outcomes:
            if outcome.name == name:
                return outcome
        names = ", ".join(outcome.name for outcome in self.outcomes)
        raise InputError(f"there is no outcome {name}: choose from {names}")

    def __str__(self) -> str:
        from pyro_gmvae.segments.outcomes.text import text_of

        return text_of(self)

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        own = None if self.first_step is None else self.first_step.to_dict()
        return asdict(self) | {"first_step": own}

    def to_frame(self) -> pandas.DataFrame:
        """Return a row for each outcome, level and segment."""
        import pandas

        return pandas.DataFrame(
            [
                {"outcome": o.name, "segment": s.segment, "rows": s.rows, **asdict(e)}
                for o in self.outcomes
                for s in o.segments
                for e in s.estimates
            ]
        )
