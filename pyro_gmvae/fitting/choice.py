"""Compare trainings that have ended, and choose one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import torch

from pyro_gmvae.data import Dataset
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import Plan
from pyro_gmvae.models import GMVAE

__all__ = ["held_or_free", "lower_bound", "with_bound"]

BOUND_SAMPLES = 10  # draws for each row behind the lower bound that trainings are compared by
JUDGING_SAMPLES = 30  # draws for each row by which held and freed clusters are compared
MOST_ROWS = 10_000  # training rows that trainings are compared on, at most
# A training with held clusters gains log p(x) over its start. Free clusters must gain more: this
# share of the gain on top, and so many standard errors of the difference (docs/tables.md).
MOVING_SHARE, STANDARD_ERRORS = 0.12, 2.5


def with_bound(plan: Plan, fitted: FittedModel) -> FittedModel:
    """Measure the lower bound of log p(x) on training rows, in nats a row, and note it.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.plan import plan
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> made = plan(Settings.of("digits", clusters=3, hidden=(4,)), load_splits("digits", seed=0))
    >>> new = FittedModel(made.make_model(seed=0).eval(), made.encoding)
    >>> lower_bound(new), lower_bound(with_bound(made, new)) < 0
    (-inf, True)
    """
    judged = _some_rows(plan)
    figures = fitted.log_likelihood(
        judged.x, judged.w, num_samples=BOUND_SAMPLES, diagnostics=False, weights=judged.weights
    )
    return replace(fitted, about=replace(fitted.about, lower_bound=figures.elbo))


def lower_bound(fitted: FittedModel) -> float:
    """Return the lower bound that was noted, in nats a row; minus infinity if none was.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> lower_bound(FittedModel(gmvae.eval(), TableEncoding((2,))))
    -inf
    """
    bound = fitted.about.lower_bound
    return float("-inf") if bound is None else bound


def held_or_free(
    plan: Plan, first: Callable[[], GMVAE], found: Sequence[FittedModel]
) -> FittedModel:
    """Choose between a training with held clusters and one whose clusters were free.

    Freed clusters move, and differ more between seeds. They are worth it where columns depend on
    one another across the first clusters, for then rows become likelier than style within these
    clusters can make them.

    Args:
        plan: the plan of both.
        first: returns the model that both began at.
        found: the held and the freed one, or one alone, which is the answer.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.plan import plan
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> made = plan(Settings.of("digits", clusters=3, hidden=(4,)), load_splits("digits", seed=0))
    >>> model = made.make_model(seed=0)
    >>> held, free = (FittedModel(model.eval(), made.encoding) for _ in range(2))
    >>> held_or_free(made, lambda: model, [held, free]) is held  # nothing is gained
    True
    """
    if len(found) == 1:
        return found[0]
    held, free = found
    # Training rows too, for both learned from them alike, and few rows would tell little.
    judged = _some_rows(plan)
    start = FittedModel(deepcopy(first()).eval(), plan.encoding, covariates=plan.covariates)
    begun, kept, moved = (
        m.log_likelihood(
            judged.x,
            judged.w,
            num_samples=JUDGING_SAMPLES,
            diagnostics=False,
            weights=judged.weights,
        )
        for m in (start, held, free)
    )
    # The difference row by row varies far less than either likelihood.
    gain = replace(moved, log_p=moved.log_p - kept.log_p)
    least = max(MOVING_SHARE * (kept.mean - begun.mean), STANDARD_ERRORS * gain.standard_error)
    return free if gain.mean > least else held


def _some_rows(plan: Plan) -> Dataset:
    train = plan.splits.train
    step = -(-len(train) // MOST_ROWS)
    return train if step == 1 else train.subset(torch.arange(0, len(train), step))
