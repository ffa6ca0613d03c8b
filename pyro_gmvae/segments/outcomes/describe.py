"""Describe columns that were not clustered on, by segment, in spite of uncertain assignments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.ranges import real
from pyro_gmvae.segments.classification_error import (
    Assignment,
    assigned,
    check_segments_differ,
    classification_error,
)
from pyro_gmvae.segments.outcomes.bch import bch_means, bch_shares
from pyro_gmvae.segments.outcomes.columns import OutcomeColumn, outcome_frame, read_outcome
from pyro_gmvae.segments.outcomes.estimates import Estimates, KnownRows
from pyro_gmvae.segments.outcomes.ml import ml_means, ml_shares
from pyro_gmvae.segments.outcomes.parts import Part, refuse_clustered
from pyro_gmvae.segments.outcomes.results import Outcome, SegmentDescription
from pyro_gmvae.segments.outcomes.tables import pairs_between, segments_of
from pyro_gmvae.segments.refitting.refit import RESAMPLES, Refit, first_step
from pyro_gmvae.stored import cut

__all__ = ["Correction", "describe_outcomes", "describe_run"]

Correction = Literal["bch", "ml"]
METHODS: dict[str, tuple[Callable[..., Estimates], Callable[..., Estimates]]] = {
    "bch": (bch_means, bch_shares),
    "ml": (ml_means, ml_shares),
}


def describe_outcomes(
    responsibilities: Float[np.ndarray, "N K"],
    outcomes: Any,
    *,
    weights: Float[np.ndarray, " N"] | None = None,
    correction: Correction = "bch",
    assignment: Assignment = "proportional",
    confidence: float = 0.95,
    kinds: Mapping[str, str] | None = None,
    refit: Refit | None = None,
) -> SegmentDescription:
    """Estimate means and shares of outcomes in each segment, corrected for classification error.

    A mean over the rows assigned to a segment is drawn towards the other segments, for some of the
    rows belong there. The three-step correction undoes this: the error is known on average from
    the responsibilities, if they are right on average and the outcome depends on the row by its
    segment alone. Columns that were clustered on break the second condition.

    BCH is the default, for it assumes no law of the outcome, and the outcome cannot move the
    segments. Under a wrong law the likelihood (``"ml"``) is biased; under the right one it is more
    precise, and its shares stay between 0 and 1. Proportional assignment is the default, for BCH
    is then a least-squares regression on the responsibilities, which has a smaller variance.

    With a refit (see `refit_segments`) the intervals, and the tests of pairs, also count that other
    rows would draw the segments elsewhere: each figure is computed again by the responsibilities of
    every resample, and its mean squared change is added to its variance. Both sources of error are
    independent, for what an outcome leaves over does not depend on x.

    Args:
        responsibilities: q(y|x), such as `pyro_gmvae.GMVAE.predict_proba` gives; with a refit, its
            own.
        outcomes: a data frame, a named column, a dict from names to columns, or an array ``(N,)``:
            numbers and dates get means, text and truth values shares. Gaps are left out.
        weights: how much each row counts; None if all count alike.
        correction: ``"bch"`` or ``"ml"``.
        assignment: ``"proportional"`` or ``"modal"``.
        confidence: the probability of the intervals, between 0.5 and 1.
        kinds: kinds of columns by name, where a guess is wrong, such as ``{"region": "category"}``.
        refit: the segments fitted again; None takes them as they are.

    Raises:
        InputError: for outcomes that do not fit, unknown words, or segments that no row tells
            apart.

    Warns:
        DataWarning: for segments of which few rows tell.

    Sources: Bolck, Croon and Hagenaars 2004, "Estimating latent structure models with categorical
    variables: one-step versus three-step estimators"; Vermunt 2010, "Latent class modeling with
    covariates: two improved three-step approaches"; Bakk, Tekle and Vermunt 2013, "Estimating the
    association between latent class membership and external variables using bias-adjusted
    three-step approaches".

    >>> q = np.array([[0.9, 0.1]] * 50 + [[0.2, 0.8]] * 50)
    >>> spend = np.r_[np.tile([11.0, 13.0], 25), np.tile([17.0, 19.0], 25)]
    >>> first, second = describe_outcomes(
    ...     q, {"spend": spend}, kinds={"spend": "real"}
    ... )["spend"].segments
    >>> [round(s.estimates[0].value, 3) for s in (first, second)]  # a, b of 0.9 a + 0.1 b = 12
    [11.143, 19.714]
    """
    if correction not in get_args(Correction):
        raise InputError(f"correction is {correction!r}: choose from {', '.join(METHODS)}")
    confidence = real("confidence", confidence, above=0.5, below=1)
    q = np.asarray(responsibilities, dtype=np.float64)
    w = np.ones(len(q)) if weights is None else np.asarray(weights, dtype=np.float64)
    frame = outcome_frame(outcomes, len(q))
    for name in kinds or {}:
        if name not in frame:
            raise InputError(f"kinds names {cut(name)}, which is no outcome: name one of them")
    read = [read_outcome(frame, str(name), kinds) for name in frame.columns]
    described = [
        _described(column, q, w, correction, assignment, confidence, refit) for column in read
    ]
    every = Part.of(q, w, np.ones(len(q), dtype=bool), "X")
    error = classification_error(every.q, "modal", every.weights)
    known = None if refit is None else refit.summary
    return SegmentDescription(tuple(described), error, correction, assignment, confidence, known)


def describe_run(
    fitted: FittedModel,
    data: Dataset,
    outcomes: Any,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    **options: Any,
) -> SegmentDescription:
    """Describe columns by the segments of a fitted model; see `describe_outcomes`.

    The segments of a table are fitted again (see `refit_segments`). Where they stay the model's
    own, the figures and intervals are those of the refit; else those of the model as it is.

    Args:
        fitted: a trained model.
        data: rows that conform to it; they count by their weights.
        outcomes: columns of the same rows in the same order, of which none was clustered on.
        resamples: fits to resamples of the rows; 0 takes the model as it is.
        seed: of the resamples.
        options: those of `describe_outcomes`, but for ``weights`` and ``refit``.

    Raises:
        InputError: for a column that was clustered on, and as `describe_outcomes`.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> x = np.random.default_rng(0).normal(size=(4_000, 2))
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(torch.from_numpy(x)))
    >>> found = describe_run(fitted, from_array(x), {"spend": x[:, 0] + 1}, assignment="modal")
    >>> found["spend"].rows
    4000
    """
    frame = outcome_frame(outcomes, len(data))
    refuse_clustered(fitted, frame.columns)
    first = first_step(fitted, data, resamples=resamples, seed=seed)
    options |= {"weights": first.weights, "refit": first.refit}
    return replace(describe_outcomes(first.q, frame, **options), first_step=first.summary)


def _described(
    column: OutcomeColumn,
    q: np.ndarray,
    weights: np.ndarray,
    correction: Correction,
    assignment: Assignment,
    confidence: float,
    refit: Refit | None,
) -> Outcome:
    part = Part.of(q, weights, column.known, column.name)
    known = KnownRows(column.z[part.rows], part.q, assigned(part.q, assignment), part.weights)
    check_segments_differ(known.q, known.a, known.weights, part.segments, column.name)
    of_numbers, of_levels = METHODS[correction]
    estimate = of_levels if column.kind == "share" else of_numbers

    def figures(rows: np.ndarray, own: np.ndarray) -> np.ndarray:
        shares = part.of_segments(own)
        known = KnownRows(column.z[rows], shares, assigned(shares, assignment), weights[rows])
        return estimate(known, confidence).means

    moves = None if refit is None else refit.moves(part.rows, figures)
    found = estimate(known, confidence, moves)
    return Outcome(
        name=column.name,
        kind=column.kind,
        levels=column.levels,
        rows=int(column.known.sum()),
        gaps=int((~column.known).sum()),
        segments=segments_of(part.segments, column.levels, known, found),
        test=found.test,
        pairs=pairs_between(part.segments, column.levels, found),
    )
