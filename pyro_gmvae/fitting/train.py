"""Carry out a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from pyro_gmvae.data import Dataset, ResidentBatches
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.defaults import BEFORE
from pyro_gmvae.fitting.numbering import number_as, number_by_size
from pyro_gmvae.fitting.plan import Plan, seeds_of
from pyro_gmvae.fitting.starts import CLUSTERINGS
from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.exact import begin_table
from pyro_gmvae.fitting.starts.gaussian_table import begin_gaussian_table
from pyro_gmvae.fitting.starts.imitation import imitate
from pyro_gmvae.fitting.starts.information import best_start
from pyro_gmvae.fitting.starts.membership import begin_membership, centre_membership
from pyro_gmvae.fitting.starts.mixture_fit import KnownRows
from pyro_gmvae.fitting.starts.registry import CONTINUED, GIVEN, RETAUGHT, start_from
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone
from pyro_gmvae.training import (
    ClusterWatch,
    NonFiniteLossError,
    Reporter,
    TrainConfig,
    TrainResult,
    fit,
)
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training.processes import broadcast

__all__ = ["attempt_checkpoint", "begin", "train"]

BOUND_SAMPLES = 10  # draws for each row behind the lower bound that trainings are compared by
JUDGING_SAMPLES = 30  # draws for each row by which held and freed clusters are compared
BOUND_ROWS = 10_000  # rows that the lower bound is measured on, at most
# A training with held clusters gains log p(x) over its start. Free clusters must gain more: this
# share of the gain on top, and so many standard errors of the difference (docs/tables.md).
MOVING_SHARE, STANDARD_ERRORS = 0.12, 2.5


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
        chosen = _held_or_free(plan, first, found)
        if best is None or _bound(chosen) > _bound(best):
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


def _held_or_free(plan: Plan, first: Callable[[], GMVAE], found: list[FittedModel]) -> FittedModel:
    """Choose between a training with held clusters and one whose clusters were free.

    Freed clusters move, and differ more between seeds. They are worth it where columns depend on
    one another across the first clusters, for then rows become likelier than style within these
    clusters can make them.
    """
    if len(found) == 1:
        return found[0]
    held, free = found
    # Training rows too, for both learned from them alike, and few rows would tell little.
    judged = _some(plan.splits.train)
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
    with _last_good_weights(plan, gmvae):
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


@contextmanager
def _last_good_weights(plan: Plan, gmvae: GMVAE) -> Iterator[None]:
    """Give the model along with the error where the loss is not finite."""
    try:
        yield
    except NonFiniteLossError as error:
        about = replace(plan.about, stopped="non-finite loss")
        error.fitted = FittedModel(
            gmvae.eval(), plan.encoding, about, covariates=plan.covariates
        ).to("cpu")
        raise


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
    some = _some(train)
    figures = fitted.log_likelihood(
        some.x, some.w, num_samples=BOUND_SAMPLES, diagnostics=False, weights=some.weights
    )
    return replace(fitted, about=replace(about, lower_bound=figures.elbo))


@alone
def begin(plan: Plan, config: TrainConfig, reporters: Sequence[Reporter] = ()) -> GMVAE:
    """Make the model that the training loop takes, after its start or the best of several starts.

    If there are labels, cluster k is label k.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.plan import plan
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> settings = Settings.of("digits", clusters=3, hidden=(4,), initialization="random")
    >>> made = plan(settings, load_splits("digits", seed=0))
    >>> begin(made, made.config).n_components
    3
    """
    train, encoding = plan.splits.train, plan.encoding
    accelerator = make_accelerator(config.device or "cpu")
    gmvae = plan.make_model(config.seed or 0)
    with _last_good_weights(plan, gmvae):
        if accelerator.is_main_process or not _starts_alone(plan, gmvae):
            gmvae = _started(plan, gmvae, config, reporters)
            for w in plan.given(train):
                q = FittedModel(gmvae.to(encoding.scale.device), encoding).responsibilities(train.x)
                begin_membership(gmvae, q, w, train.weights)
    broadcast(gmvae, accelerator.device)
    if train.labels is not None:
        known = train.labels >= 0
        gmvae.to(encoding.scale.device)
        rows = train.subset(known)
        model = FittedModel(gmvae, encoding, covariates=plan.covariates)
        found = model.responsibilities(rows.x, rows.w)
        number_as(train.labels[known], gmvae, found)
    return gmvae


def _starts_alone(plan: Plan, gmvae: GMVAE) -> bool:
    """Return True if no other process can help, for the start trains nothing by batches."""
    laws, named = gmvae.options["table"] is not None, (GIVEN, CONTINUED, RETAUGHT)
    return laws and plan.start.name in (*named, "mixture", "portfolio", "kmeans", "spectral")


def _started(plan: Plan, gmvae: GMVAE, config: TrainConfig, reporters: Sequence[Reporter]) -> GMVAE:
    """Let a new model begin as planned; a start by information gives another one."""
    start, train, encoding = plan.start, plan.splits.train, plan.encoding
    if start.name == BEFORE:
        assert plan.before is not None
        gmvae.load_state_dict(plan.before.gmvae.state_dict())
        return gmvae
    if start.name == "information":
        gmvae = best_start(
            plan.make_model,
            seeds_of(config.seed or 0, start.tries),
            train.x,
            config,
            epochs=start.epochs,
            must_link=train.must_link,
            weights=train.weights,
            judged=plan.splits.validation.x if len(plan.splits.validation) else None,
            transform=encoding,
            reporters=reporters,
        )
    context = StartContext(
        gmvae,
        train.x,
        config,
        transform=encoding,
        encode_mean=encoding.encode_mean,
        epochs=start.epochs,
        reporters=reporters,
        weights=train.weights,
        covariates=next(iter(plan.given(train)), None),
    )
    table = gmvae.options["table"]
    if table is not None and table.correlated:
        begin_gaussian_table(context, start.name, start.clusters)
    elif table is not None:
        known = KnownRows(train.labels, train.must_link)
        begin_table(context, start.name, start.clusters, known)
    elif start.name in CLUSTERINGS:
        start_from(start.name, context, steps=start.steps)
    elif start.clusters is not None and start.name == GIVEN:
        imitate(
            gmvae,
            train.x,
            start.clusters,
            config,
            weights=train.weights,
            transform=encoding,
            steps=start.steps,
        )
    return gmvae


def _device(config: TrainConfig) -> str:
    return str(make_accelerator(config.device or "cpu").device)


def _bound(fitted: FittedModel) -> float:
    bound = fitted.about.lower_bound
    return float("-inf") if bound is None else bound


def _some(data: Dataset) -> Dataset:
    step = -(-len(data) // BOUND_ROWS)
    return data if step == 1 else data.subset(torch.arange(0, len(data), step))
