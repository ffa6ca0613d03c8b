"""Hold the coefficients of p(y | w), as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from pyro_gmvae.data.covariates import Term
from pyro_gmvae.segments.outcomes.equality import EqualityTest, chi_square
from pyro_gmvae.segments.outcomes.text import aligned, shown_p
from pyro_gmvae.segments.refitting.refit import FirstStep
from pyro_gmvae.visible import visible

__all__ = ["Coefficient", "CovariateTest", "SegmentLogit", "logit_of"]


@dataclass(frozen=True)
class Coefficient:
    """Hold a coefficient of a segment: a log odds ratio, against the reference segment.

    Attributes:
        segment: the number of the segment.
        covariate: the column; None for the constant.
        level: the level of the column; None for a number (per unit) or a date (per year).
        base: the level that it is compared with.
        value: the change of log p(segment) - log p(reference).
        low: lower end of the interval.
        high: upper end of the interval.
        standard_error: robust, by the sandwich; by resamples for covariates inside a model.
        bootstrap_error: by resamples of the rows; None if there were none.

    >>> Coefficient(1, "age", None, None, 0.1, 0.08, 0.12, 0.01, None).value
    0.1
    """

    segment: int
    covariate: str | None
    level: str | None
    base: str | None
    value: float
    low: float
    high: float
    standard_error: float
    bootstrap_error: float | None


@dataclass(frozen=True)
class CovariateTest:
    """Hold the test that a covariate tells nothing of the segment, given the others.

    >>> CovariateTest("age", EqualityTest(9.0, 2, 0.011)).covariate
    'age'
    """

    covariate: str
    test: EqualityTest


@dataclass(frozen=True)
class SegmentLogit:
    """Hold a multinomial logit of the segment.

    Attributes:
        reference: the segment whose coefficients are 0: the largest.
        segments: the numbers of all segments that have rows.
        coefficients: segment by segment, the constant first.
        tests: one for each covariate.
        rows: the number of rows that were used.
        gaps: the number of rows left out, for a covariate is missing or their weight is 0.
        confidence: the probability of the intervals.
        first_step: how far the segments themselves are known; None if they were not fitted again.

    ``print`` shows it as a table.

    >>> SegmentLogit(0, (0, 1), (), (), 100, 0, 0.95).reference
    0
    """

    reference: int
    segments: tuple[int, ...]
    coefficients: tuple[Coefficient, ...]
    tests: tuple[CovariateTest, ...]
    rows: int
    gaps: int
    confidence: float
    first_step: FirstStep | None = None

    def __str__(self) -> str:
        interval = f"{self.confidence:.0%} interval"
        lines = [["segment", "covariate", "log odds", interval, "odds ratio"]]
        for c in self.coefficients:
            level = "" if c.level is None else f": {c.level} (not {c.base})"
            name = "constant" if c.covariate is None else f"{c.covariate}{level}"
            ends = f"{c.low:.3g} to {c.high:.3g}"
            ratio = "" if c.covariate is None else f"{np.exp(c.value):.3g}"
            lines.append([str(c.segment), visible(name), f"{c.value:.3g}", ends, ratio])
        title = f"p(segment) against segment {self.reference}, {self.rows:,} rows"
        tests = [f"{visible(t.covariate)}: {_shown(t.test)}." for t in self.tests]
        said = [] if self.first_step is None else [self.first_step.sentence()]
        return "\n".join([title, *aligned(lines), *tests, *said])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        own = None if self.first_step is None else self.first_step.to_dict()
        return asdict(self) | {"first_step": own}


def _shown(test: EqualityTest) -> str:
    return "no test" if test.p_value is None else shown_p(test.p_value)


def logit_of(
    terms: Sequence[Term],
    *,
    segments: Sequence[int],
    reference: int,
    values: Float[np.ndarray, "others P"],
    covariance: Float[np.ndarray, "Q Q"],
    resampled: Float[np.ndarray, "R others P"] | None,
    confidence: float,
    rows: int,
    gaps: int,
    first_step: FirstStep | None,
) -> SegmentLogit:
    """Put estimates in the user's units into words.

    Args:
        terms: what each column of the regression is, the constant first.
        segments: the numbers of the K segments.
        reference: the place of the reference among them.
        values: the coefficients of the others.
        covariance: their covariance, segment by segment.
        resampled: those of R resamples; None if there were none.
        confidence: the probability of the intervals.
        rows, gaps, first_step: as in `SegmentLogit`.

    >>> logit = logit_of(
    ...     (Term(None), Term("age")), segments=(0, 1), reference=0, values=np.array([[0.5, 0.1]]),
    ...     covariance=np.eye(2) / 100, resampled=None, confidence=0.95, rows=4, gaps=0,
    ...     first_step=None,
    ... )
    >>> [(c.segment, c.covariate, c.value) for c in logit.coefficients]
    [(1, None, 0.5), (1, 'age', 0.1)]
    """
    from scipy import stats

    others = [s for i, s in enumerate(segments) if i != reference]
    errors = np.sqrt(np.diag(covariance)).reshape(values.shape)
    half = stats.norm.ppf((1 + confidence) / 2) * errors
    again = None if resampled is None else resampled.std(0)
    coefficients = tuple(
        Coefficient(
            segment,
            term.covariate,
            "missing" if term.gap else term.level,
            "known" if term.gap else term.base,
            float(values[t, p]),
            float(values[t, p] - half[t, p]),
            float(values[t, p] + half[t, p]),
            float(errors[t, p]),
            None if again is None else float(again[t, p]),
        )
        for t, segment in enumerate(others)
        for p, term in enumerate(terms)
    )
    named = [term.covariate for term in terms]
    tests = []
    for name in dict.fromkeys(n for n in named if n is not None):
        at = np.flatnonzero(np.tile([n == name for n in named], len(others)))
        found = chi_square(values.ravel()[at], covariance[np.ix_(at, at)])
        tests.append(CovariateTest(name, found))
    return SegmentLogit(
        reference=segments[reference],
        segments=tuple(segments),
        coefficients=coefficients,
        tests=tuple(tests),
        rows=rows,
        gaps=gaps,
        confidence=confidence,
        first_step=first_step,
    )
