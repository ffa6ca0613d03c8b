"""Calibrate a model of few rows by trainings that each leave out a part of them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pyro_gmvae.data import Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.fitted import NUM_SAMPLES
from pyro_gmvae.fitting.plan import Plan
from pyro_gmvae.fitting.train import train
from pyro_gmvae.process.alone import alone
from pyro_gmvae.segments.rejection.scores import HeldOutScores, score_held_out

__all__ = ["FOLDS", "cross_calibrate"]

FOLDS = 5


@alone
def cross_calibrate(plan: Plan, *, num_samples: int = NUM_SAMPLES) -> Calibration:
    """Score each training row by a model that was trained without it.

    Of few rows none can be spared for a calibration, and rows that a model was trained on are
    likelier under it than new ones. So five models are trained as planned, each without a fifth of
    the rows, and each scores that fifth. They saw fewer rows than the model of the plan, so that
    it rejects slightly fewer new rows than asked for. Rows with a label or a group stay in training
    unless all have one.

    Args:
        plan: the plan of the training, of which the seeds and all else but the rows are kept.
        num_samples: importance samples for each row, and later for each new row.

    Raises:
        InputError: for a training that goes on from another one, which has seen all rows, or if a
            fold would have fewer rows than clusters.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.plan import plan
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> settings = Settings.of("digits", clusters=3, hidden=(4,), epochs=1, regularize="none")
    >>> splits = load_splits("digits", seed=0)
    >>> few = Splits(*(part.subset(torch.arange(30)) for part in splits))
    >>> len(cross_calibrate(plan(settings, few), num_samples=2))
    30
    """
    rows = plan.splits.train
    if plan.before is not None:
        raise InputError(
            "reject cannot be calibrated by a warm start, whose model has seen all rows: hold out "
            "at least 50 rows by validation_fraction, or set warm_start to False"
        )
    free = (~rows.known).nonzero().squeeze(-1)
    free = torch.arange(len(rows)) if len(free) == 0 else free
    order = free[torch.randperm(len(free), generator=torch.Generator().manual_seed(0))]
    folds = [fold for fold in order.chunk(FOLDS) if len(fold)]
    if len(rows) - max(map(len, folds)) < plan.model["n_components"]:
        raise InputError(
            f"{len(rows)} rows are too few to calibrate reject: give more rows, or fewer clusters"
        )
    scores = [_scored(plan, fold, num_samples) for fold in folds]
    weights = None if rows.weights is None else rows.weights[order]
    return HeldOutScores.joined(scores).calibration(num_samples, weights)


def _scored(plan: Plan, fold: Tensor, num_samples: int) -> HeldOutScores:
    """Train without the rows of a fold, and score these."""
    rows = plan.splits.train
    stay = torch.ones(len(rows), dtype=torch.bool)
    stay[fold] = False
    none = rows.subset(torch.arange(0))
    clusters = plan.start.clusters
    without = replace(
        plan,
        splits=Splits(rows.subset(stay), none, none),
        start=replace(plan.start, clusters=None if clusters is None else clusters[stay]),
    )
    fitted = train(without).to(plan.config.device or "cpu")
    held_out = rows.subset(fold)
    return score_held_out(fitted, held_out.x, num_samples, held_out.w)
