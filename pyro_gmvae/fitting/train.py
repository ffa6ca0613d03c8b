"""Carry out a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from pyro_gmvae.data import ResidentBatches
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.begin import begin
from pyro_gmvae.fitting.choice import held_or_free, lower_bound, with_bound
from pyro_gmvae.fitting.last_good import last_good_weights
from pyro_gmvae.fitting.numbering import number_as, number_by_size
from pyro_gmvae.fitting.plan import Plan
from pyro_gmvae.fitting.starts.membership import centre_membership
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone
from pyro_gmvae.training import ClusterWatch, Reporter, TrainConfig, TrainResult, fit
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training.processes import broadcast

__all__ = ["attempt_checkpoint", "train"]


@alone
def train(
    plan: Plan,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    reporters: Sequence[Reporter] = (),
) -> FittedModel:
    """Train as planned, once for each of the plan's seeds, and keep the best bound.

    Cluster k is label k where labels are known; else cluster 0 is the largest.

    Args:
        plan: every decision of the training.
        checkpoint: file to keep the training's state in (see `pyro_gmvae.training.fit`).
        resume: whether to continue from the checkpoint. A training without one begins anew, to the
            same end.
        reporters: objects that report the progress.

    Returns:
        The fitted model, on the CPU.

    Raises:
        NonFiniteLossError: if the loss becomes NaN or infinite; its ``fitted`` holds the last good
            weights.
        TrainingInterrupted: after a signal, with the state saved.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.plan import plan
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> settings = Settings.of("digits", clusters=3, hidden=(4,), epochs=1, regularize="none")
    >>> fitted = train(plan(settings, load_splits("digits", seed=0)))
    >>> fitted.gmvae.n_components, fitted.about.stopped, len(fitted.history)
    (3, 'epochs', 1)
    """
    began = time.monotonic()
    best: FittedModel | None = None
    plan.encoding.to(_device(plan.config))
    broadcast(plan.encoding, plan.encoding.scale.device)
    for attempt, seed in enumerate(plan.seeds):
        # Trainings of one seed begin at the same model, which is made where the first one needs it.
        first = cache(partial(begin, plan, replace(plan.config, seed=seed), reporters))
        found: list[FittedModel] = []
        for place, held in enumerate(plan.holds):
            own = attempt_checkpoint(checkpoint, attempt * len(plan.holds) + place)
            found.append(_train_once(plan, seed, held, first, own, resume, reporters))
        chosen = held_or_free(plan, first, found)
        if best is None or lower_bound(chosen) > lower_bound(best):
            best = chosen
    assert best is not None
    if plan.splits.train.labels is None:
        _number(plan, best)
    about = replace(best.about, seconds=round(time.monotonic() - began, 1))
    return replace(best.to("cpu"), about=about)


def _number(plan: Plan, fitted: FittedModel) -> None:
    """Let clusters keep the numbers of those that training began near, or order them by size."""
    train, begun = plan.splits.train, plan.start.clusters
    if plan.keeps_numbers and begun is not None:
        number_as(begun.argmax(-1), fitted.gmvae, fitted.responsibilities(train.x, train.w))
        return
    seen = [part for part in (train, plan.splits.validation) if len(part)]
    weights = [part.weights for part in seen if part.weights is not None]
    number_by_size(
        fitted.gmvae,
        torch.cat([fitted.responsibilities(part.x, part.w) for part in seen]),
        torch.cat(weights) if weights else None,
    )


def attempt_checkpoint(checkpoint: Path | None, attempt: int) -> Path | None:
    """Return the file that keeps the state of one of several trainings.

    >>> [attempt_checkpoint(Path("run/state.pt"), attempt).name for attempt in (0, 1)]
    ['state.pt', 'state-1.pt']
    """
    if checkpoint is None or attempt == 0:
        return checkpoint
    return checkpoint.with_name(f"{checkpoint.stem}-{attempt}{checkpoint.suffix}")


def _train_once(
    plan: Plan,
    seed: int,
    held: bool,
    first: Callable[[], GMVAE],
    checkpoint: Path | None,
    resume: bool,
    reporters: Sequence[Reporter],
) -> FittedModel:
    config = replace(plan.config, seed=seed)
    resume = resume and checkpoint is not None and checkpoint.is_file()
    gmvae = plan.make_model(seed) if resume else deepcopy(first())
    if held:
        gmvae.hold_clusters()
    with last_good_weights(plan, gmvae):
        fit_rows = _fit_in_memory if plan.splits.stream is None else _fit_in_stream
        result = fit_rows(
            plan,
            gmvae,
            config,
            checkpoint=checkpoint,
            resume=resume,
            reporters=[*reporters, ClusterWatch(gmvae)],
        )
    return _fitted(plan, gmvae, result, held)


def _fit_in_memory(plan: Plan, gmvae: GMVAE, config: TrainConfig, **options: Any) -> TrainResult:
    train, validation = plan.splits.train, plan.splits.validation
    return fit(
        gmvae,
        train.x,
        config,
        covariates=plan.given(train),
        labels=train.labels,
        must_link=train.must_link,
        weights=train.weights,
        validation=(validation.x, *plan.given(validation)) if len(validation) else None,
        validation_weights=validation.weights if len(validation) else None,
        transform=plan.encoding,
        augment=plan.augment,
        **options,
    )


def _fit_in_stream(plan: Plan, gmvae: GMVAE, config: TrainConfig, **options: Any) -> TrainResult:
    """Train on rows that are not in memory; the held-out rows are."""
    train, validation, stream = plan.splits.train, plan.splits.validation, plan.splits.stream
    assert stream is not None
    accelerator = make_accelerator(config.device or "cpu")
    batches = stream.batches(
        config.batch_size,
        sampled=train.x,
        lanes=accelerator.num_processes,
        transform=plan.encoding,
        device=accelerator.device,
    )
    held_out = None
    if len(validation):
        held_out = ResidentBatches(
            validation.x.to(accelerator.device),
            config.batch_size,
            transform=plan.encoding,
            shuffle=False,
        )
    return fit(gmvae, batches, config, validation=held_out, **options)


def _fitted(plan: Plan, gmvae: GMVAE, result: TrainResult, held: bool) -> FittedModel:
    """Put a finished training together, still on its device."""
    stopped = result.stopped
    if stopped in ("epochs", "max_steps") and plan.config.learning_rate_schedule == "cosine":
        stopped = "schedule"
    about = replace(
        plan.about,
        stopped=stopped,
        best_epoch=result.best_epoch,
        n_steps=result.n_steps,
        held=held,
    )
    train = plan.splits.train
    for w in plan.given(train):
        centre_membership(gmvae, w, train.weights)
    fitted = FittedModel(gmvae, plan.encoding, about, result.history, covariates=plan.covariates)
    return with_bound(plan, fitted)


def _device(config: TrainConfig) -> str:
    return str(make_accelerator(config.device or "cpu").device)
