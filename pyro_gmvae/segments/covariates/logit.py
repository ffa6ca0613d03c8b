"""Say who is likely to be in which segment: p(y | w) as a multinomial logit of columns w."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data import Dataset
from pyro_gmvae.data.beside import frame_beside
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.starts.membership import WIDE
from pyro_gmvae.ranges import MOST_TRAININGS, SEEDS, real, whole
from pyro_gmvae.segments.classification_error import Assignment, assigned, classification_error
from pyro_gmvae.segments.covariates.design import Design
from pyro_gmvae.segments.covariates.results import SegmentLogit, logit_of
from pyro_gmvae.segments.outcomes.columns import read_outcome
from pyro_gmvae.segments.outcomes.estimates import covariance_of
from pyro_gmvae.segments.outcomes.parts import Part, refuse_clustered
from pyro_gmvae.segments.refitting.refit import RESAMPLES, Refit, first_step
from pyro_gmvae.segments.three_step import Maximum, assignment_log_likelihoods, maximise

__all__ = ["covariates_of_run", "segment_logit"]


def segment_logit(
    responsibilities: Float[np.ndarray, "N K"],
    covariates: Any,
    *,
    weights: Float[np.ndarray, " N"] | None = None,
    assignment: Assignment = "proportional",
    confidence: float = 0.95,
    kinds: Mapping[str, str] | None = None,
    bootstrap: int = 0,
    seed: int = 0,
    refit: Refit | None = None,
) -> SegmentLogit:
    r"""Fit :math:`p(y = t | w) \propto \exp(\alpha_t + \beta_t' w)` in spite of uncertain segments.

    A logit of the likeliest segments draws the coefficients towards 0, for some of the rows are in
    a segment that is not theirs. The third step of Vermunt maximises
    :math:`\sum_i \sum_s a_{is} \log \sum_t p(t | w_i) D_{ts}` with the errors D known. It holds
    if x depends on w by the segment alone: columns that were clustered on are no covariates.

    The reference is the largest segment, whose coefficients are 0. Standard errors are robust. With
    a refit they count, as in `describe_outcomes`, that the segments were estimated too. A weak
    prior, of 10 per standard deviation of a column, keeps coefficients finite where a column parts
    the segments.

    Args:
        responsibilities: q(y|x) of a model without covariates; with a refit, its own.
        covariates: a data frame, a named column, a dict from names to columns, or an array
            ``(N,)``. Text and truth values get a coefficient for each level but the most frequent;
            dates count in years. Rows with a gap are left out.
        weights: how much each row counts; None if all count alike.
        assignment: ``"proportional"`` or ``"modal"``.
        confidence: the probability of the intervals, between 0.5 and 1.
        kinds: kinds of columns by name, where a guess is wrong.
        bootstrap: number of resamples of the rows for a second standard error; 0 for none.
        seed: of the resamples.
        refit: the segments fitted again; None takes them as they are.

    Raises:
        InputError: for covariates that do not fit, columns that tell the same, or fewer than two
            segments with rows.

    Source: Vermunt 2010, "Latent class modeling with covariates: two improved three-step
    approaches", Political Analysis 18.

    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(40, 10, 4000)
    >>> old = rng.random(4000) < 1 / (1 + np.exp(-(age - 40) / 10))
    >>> found = segment_logit(np.eye(2)[old.astype(int)], {"age": age})
    >>> abs(abs(found.coefficients[1].value) - 0.1) < 0.02
    True
    """
    confidence = real("confidence", confidence, above=0.5, below=1)
    bootstrap = whole("bootstrap", bootstrap, least=0, most=MOST_TRAININGS)
    seed = whole("seed", seed, least=0, below=SEEDS)
    q = np.asarray(responsibilities, dtype=np.float64)
    w = np.ones(len(q)) if weights is None else np.asarray(weights, dtype=np.float64)
    frame = frame_beside(covariates, len(q), "covariate")
    columns = [read_outcome(frame, str(name), kinds) for name in frame.columns]
    known = np.all([column.known for column in columns], 0)
    part = Part.of(q, w, known, "every covariate")
    if len(part.segments) < 2:
        raise InputError("only one segment has rows without a gap: give other covariates")
    gaps = int(len(q) - part.rows.sum())
    q, w = part.q, part.weights
    reference = int((w @ q).argmax())
    design = Design.of(columns, part.rows, w)

    def fitted(at: np.ndarray) -> Maximum:
        return _maximum(design.standard[at], q[at], w[at], reference, assignment)

    every = np.arange(len(q))
    found = fitted(every)
    covariance = found.covariance
    if refit is not None:
        place = np.cumsum(part.rows) - 1  # of each row among those that are used

        def coefficients(rows: np.ndarray, own: np.ndarray) -> np.ndarray:
            at, shares = place[rows], part.of_segments(own)
            x = design.standard[at]
            return _maximum(x, shares, w[at], reference, assignment, found.parameters).parameters

        moves = refit.moves(part.rows, coefficients)
        covariance = covariance if moves is None else covariance + covariance_of(moves)
    resampled = None
    if bootstrap:
        rng = np.random.default_rng(seed)
        draws = [fitted(rng.choice(every, len(every))).parameters for _ in range(bootstrap)]
        resampled = np.stack([design.in_user_units(each) for each in draws])
    return logit_of(
        design.terms,
        segments=part.segments,
        reference=reference,
        values=design.in_user_units(found.parameters),
        covariance=design.covariance_in_user_units(covariance),
        resampled=resampled,
        confidence=confidence,
        rows=len(q),
        gaps=gaps,
        first_step=None if refit is None else refit.summary,
    )


def _maximum(
    x: Float[np.ndarray, "N P"],
    q: Float[np.ndarray, "N K"],
    weights: Float[np.ndarray, " N"],
    reference: int,
    assignment: Assignment,
    start: Float[np.ndarray, " Q"] | None = None,
) -> Maximum:
    a = assigned(q, assignment)
    d = np.array(classification_error(q, assignment, weights).matrix)
    w, others = torch.from_numpy(x), q.shape[1] - 1

    def log_p(parameters: Tensor) -> Tensor:
        free = w @ parameters.view(others, -1).T
        zero = free.new_zeros(len(free), 1)
        return torch.cat([free[:, :reference], zero, free[:, reference:]], 1).log_softmax(1)

    def log_likelihoods(parameters: Tensor) -> Tensor:
        return assignment_log_likelihoods(log_p(parameters), d, a)

    def log_prior(parameters: Tensor) -> Tensor:
        return -((parameters / WIDE) ** 2).sum() / 2

    begun = np.zeros(others * x.shape[1]) if start is None else start
    return maximise(log_likelihoods, begun, weights, log_prior)


def covariates_of_run(
    fitted: FittedModel,
    data: Dataset,
    covariates: Any,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    **options: Any,
) -> SegmentLogit:
    """Fit a logit of the clusters of a fitted model; see `segment_logit`.

    As in `describe_run`, the segments of a table are fitted again.

    Args:
        fitted: a trained model.
        data: rows that conform to it; they count by their weights.
        covariates: columns of the same rows in the same order, of which none was clustered on.
        resamples: fits of the segments to resamples of the rows; 0 takes the model as it is.
        seed: of all resamples.
        options: those of `segment_logit`, but for ``weights`` and ``refit``.

    Raises:
        InputError: for a column that was clustered on, and as `segment_logit`.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> x = np.random.default_rng(0).normal(size=(40, 2))
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(torch.from_numpy(x)))
    >>> found = covariates_of_run(fitted, from_array(x), {"age": x[:, 0] + 1}, assignment="modal")
    >>> [c.covariate for c in found.coefficients]
    [None, 'age']
    """
    frame = frame_beside(covariates, len(data), "covariate")
    refuse_clustered(fitted, frame.columns)
    first = first_step(fitted, data, resamples=resamples, seed=seed)
    options |= {"weights": first.weights, "seed": seed, "refit": first.refit}
    return replace(segment_logit(first.q, frame, **options), first_step=first.summary)
