"""Say what the covariates inside a model tell of the cluster, in the user's units, with errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pyro_gmvae.data import Dataset
from pyro_gmvae.data.covariates import Term
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.starts.membership import LAST_STEPS, SMALLEST, MembershipRows, join
from pyro_gmvae.process.alone import alone
from pyro_gmvae.ranges import MOST_TRAININGS, SEEDS, real, whole
from pyro_gmvae.segments.covariates.results import SegmentLogit, logit_of
from pyro_gmvae.segments.refitting.refit import (
    MOST_ROWS,
    RESAMPLES,
    FirstStep,
    Refit,
    refit_segments,
)
from pyro_gmvae.segments.rows import responsibilities_of_rows

__all__ = ["effects_of_run"]

FEWEST = 2  # resamples that have an error


class _Found(NamedTuple):
    """Hold the coefficients of p(y|w) on model scale, and those of R resamples.

    Attributes:
        coefficients: ``(1 + P, K)``.
        resampled: ``(R, 1 + P, K)``.
        rows: number of rows that they were fitted to.
        first_step: how far the segments are known; None if they were kept.
    """

    coefficients: np.ndarray
    resampled: np.ndarray
    rows: int
    first_step: FirstStep | None


@alone
def effects_of_run(
    fitted: FittedModel,
    data: Dataset,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> SegmentLogit:
    """Give the coefficients of p(y|w) of a model with covariates, with errors by the bootstrap.

    The mixture behind the model of a table is fitted on until it converges, together with p(y|w),
    and then again to resamples of the rows. So the errors count that the clusters were estimated
    too. Where it puts more than 20 % of the rows elsewhere than the model, and for a model that
    begins at no mixture, p(x|y) is kept as it is, and p(y|w) alone is fitted to the resamples.

    The reference is the largest cluster, whose coefficients are 0.

    Args:
        fitted: a model with covariates, of two clusters or more.
        data: rows that conform to it, with their covariates; they count by their weights.
        confidence: the probability of the intervals, between 0.5 and 1.
        resamples: R, two or more.
        seed: fixes the resamples.

    Raises:
        InputError: for a model without covariates or of one cluster, or a number out of range.

    >>> from pyro_gmvae import GMVAE
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(40, 10, 300)
    >>> old = rng.random(300) < 1 / (1 + np.exp(-(age - 40) / 5))
    >>> x = rng.normal(8.0 * old[:, None], 1.0, (300, 2))
    >>> model = GMVAE(2, max_iter=1, random_state=0).fit(x, covariates={"age": age})
    >>> found = model.covariate_effects(x, {"age": age}, resamples=5)
    >>> 0.1 < abs(found.coefficients[1].value) < 0.3  # 0.2 in truth
    True
    """
    confidence = real("confidence", confidence, above=0.5, below=1)
    resamples = whole("resamples", resamples, least=FEWEST, most=MOST_TRAININGS)
    seed = whole("seed", seed, least=0, below=SEEDS)
    design = fitted.covariates
    if design is None or fitted.gmvae.n_components < 2:
        raise InputError(
            "this model has no covariates, or one cluster alone: fit it with covariates, or call "
            "covariates(...) for those of a model without"
        )
    refit = refit_segments(fitted, data, resamples=resamples, seed=seed)
    (w,) = fitted.given(data.w)
    q, weights = responsibilities_of_rows(fitted, data)
    rows = MembershipRows.of(w, torch.from_numpy(weights / weights.mean()))
    if refit is not None and refit.summary.same and refit.keeping.sum() >= FEWEST:
        found = _of_refit(refit, rows)
    else:
        found = _of_model(fitted, q, rows, resamples, seed)
        found = found._replace(first_step=None if refit is None else refit.summary)

    reference = int((weights @ q).argmax())
    others = [k for k in range(q.shape[1]) if k != reference]

    def in_user_units(coefficients: np.ndarray) -> np.ndarray:
        return (design.to_user @ (coefficients - coefficients[..., [reference]])).swapaxes(-1, -2)

    again = in_user_units(found.resampled)[:, others]
    return logit_of(
        (Term(None), *design.terms),
        segments=range(q.shape[1]),
        reference=reference,
        values=in_user_units(found.coefficients)[others],
        covariance=np.cov(again.reshape(len(again), -1).T),
        resampled=again,
        confidence=confidence,
        rows=found.rows,
        gaps=0,
        first_step=found.first_step,
    )


def _of_refit(refit: Refit, rows: MembershipRows) -> _Found:
    """Take the logits of the converged fit and of its resamples."""
    assert refit.counts is not None
    own = rows.take(torch.from_numpy(refit.rows))
    best = own.fitted(_tensor(refit.responsibilities[refit.rows]), steps=LAST_STEPS)
    again = [
        own.weighted(own.weights * _tensor(counts)).fitted(_tensor(r), best, steps=LAST_STEPS)
        for r, counts in zip(
            refit.resampled[refit.keeping], refit.counts[refit.keeping], strict=True
        )
    ]
    return _Found(best.numpy(), torch.stack(again).numpy(), len(refit.rows), refit.summary)


def _of_model(
    fitted: FittedModel, q: np.ndarray, rows: MembershipRows, resamples: int, seed: int
) -> _Found:
    """Fit the logit alone to resamples: q(y|x,w) and p(y|w) of the model tell log p(x|y)."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(q), generator=generator)[:MOST_ROWS]
    own = rows.take(chosen)
    membership = fitted.gmvae.model.membership
    assert membership is not None
    constant = membership.constant + fitted.gmvae.model.log_p_y()
    stored = torch.cat([constant.unsqueeze(0), membership.slope.T]).detach().double().cpu()
    begun = _tensor(q)[chosen]
    log_p_x = begun.clamp(min=SMALLEST).log() - own.log_p(stored)
    best = join(own, begun, lambda r: log_p_x)
    again = []
    for _ in range(resamples):
        drawn = torch.randint(len(chosen), (len(chosen),), generator=generator)
        counts = own.weights * drawn.bincount(minlength=len(chosen))
        found = join(own.weighted(counts), best.responsibilities, lambda r: log_p_x)
        again.append(found.coefficients)
    return _Found(best.coefficients.numpy(), torch.stack(again).numpy(), len(chosen), None)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).double()
