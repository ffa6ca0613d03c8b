"""The training loop, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int, Num
from torch import Tensor

from pyro_gmvae.data import Batches
from pyro_gmvae.models import GMVAE
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training.annealing import put_back
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.context import training_context
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training.epochs import Epochs
from pyro_gmvae.training.errors import TrainingInterrupted
from pyro_gmvae.training.held_out import HeldOut
from pyro_gmvae.training.known import Known, check_known
from pyro_gmvae.training.links import linked
from pyro_gmvae.training.reporters import Record, Reporter
from pyro_gmvae.training.signals import Interruption

__all__ = ["TrainResult", "fit"]

Transform = Callable[[Tensor], Tensor]

N_COUNTED = 2048  # data whose clusters are counted after an epoch


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        history: one record per epoch: ``epoch``, ``step``, ``loss``, ``elbo`` and its parts in
            nats per datum, the annealed weights, ``clusters_in_use``, ``validation_elbo``.
        stopped: ``"epochs"``, ``"max_steps"`` or ``"patience"``, whichever came first.
        best_epoch: the epoch whose weights were kept; None if they are the last ones.
        n_steps: gradient steps in all.
    """

    history: list[Record]
    stopped: str
    best_epoch: float | None
    n_steps: int


def fit(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    config: TrainConfig | None = None,
    *,
    y: Known | None = None,
    groups: Int[Tensor, " groups"] | None = None,
    covariates: Sequence[Tensor] = (),
    validation: Tensor | Sequence[Tensor] | None = None,
    transform: Transform | None = None,
    augment: Transform | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    reporters: Sequence[Reporter] = (),
) -> TrainResult:
    """Train ``gmvae`` in place by stochastic variational inference.

    The data are put on the device once and batched there. On several processes (torchrun,
    ``accelerate launch``) each takes its share of every batch.

    Args:
        gmvae: one of the four GMVAEs, or a subclass.
        x: data, shape ``(N, *raw_event)``, in whatever form ``transform`` takes.
        config: the settings; the defaults if None.
        y: labels ``(N,)``, -1 where missing, for semi-supervision; or responsibilities ``(N, K)``,
            of which a label is drawn for each datum in each epoch; None trains without any.
        groups: a number for each row, the same for rows that are to be in one cluster, -1 for those
            of which nothing is known (see `pyro_gmvae.models.MustLink`); None trains without any.
        covariates: tensors of N rows, passed on to model and guide after ``(x, y)``.
        validation: held-out data, ``x`` or ``(x, *covariates)``, for early stopping.
        transform: applied to each batch of data on the device, such as a binarisation.
        augment: applied before it, to the batches that are trained on and to no others; its draws
            must be from torch's global generators, or a resumed training is another one.
        checkpoint: file to keep the training's state in; with it, Ctrl-C and SIGTERM end the
            training after the current step, saved.
        resume: continue from ``checkpoint``; on CPU the result is that of an unbroken run, bit
            for bit.
        reporters: told about progress.

    Returns:
        The history and how it ended.

    Raises:
        InputError: if the device is missing, ``y`` is not of these data and clusters, groups tell
            nothing or the checkpoint does not fit.
        NonFiniteLossError: if the loss becomes NaN or infinite.
        TrainingInterrupted: after a signal, with the state saved.
    """
    config = config or TrainConfig()
    if y is not None:
        check_known(y, len(x), gmvae.n_components)
    accelerator = make_accelerator(config.device)
    device, signals = accelerator.device, Interruption()
    changed = _in_turn(augment, transform)
    with ExitStack() as stack:
        if config.seed is not None:
            # Each process draws its own noise, but all of them the same order of the data.
            own = config.seed + accelerator.process_index
            stack.enter_context(forked_rng(device, seed=own))
        stack.enter_context(put_back(gmvae.weights))
        if checkpoint is not None:
            stack.enter_context(signals)
        stack.enter_context(linked(gmvae, x, groups, covariates=covariates, transform=changed))
        stack.enter_context(training_context(gmvae, config, accelerator))

        seed = int(torch.randint(2**62, ())) if config.seed is None else config.seed
        order = torch.Generator(device).manual_seed(seed)
        batches = Batches(
            x.to(device),
            config.batch_size,
            y=y,
            covariates=covariates,
            transform=changed,
            generator=order,
            # A last batch that has not a row for every process is left out.
            drop_last=len(x) % config.batch_size < accelerator.num_processes,
        )
        held_out = None
        if validation is not None:
            given = [validation] if isinstance(validation, Tensor) else validation
            held_x, *held_covariates = [t.to(device) for t in given]
            held_out = HeldOut(held_x, tuple(held_covariates), config.batch_size, transform)
        share = -(-config.batch_size // accelerator.num_processes)  # this process's, of a batch
        epochs = Epochs(
            gmvae,
            config,
            accelerator,
            batches,
            order,
            held_out=held_out,
            counted=_first(N_COUNTED, batches, transform),
            example=_first(share, batches, transform),
        )
        state = epochs.state
        if resume:
            if checkpoint is None:
                raise ValueError("resume=True needs the checkpoint to resume from")
            state.load(checkpoint)

        is_main = accelerator.is_main_process
        reporters, save_to = (reporters, checkpoint) if is_main else ((), None)
        for reporter in reporters:
            reporter.start(epochs.total_steps, state.history)
            stack.callback(reporter.close)

        def made(step: int) -> None:
            for reporter in reporters:
                reporter.step(step)

        saved_at = time.monotonic()
        while not epochs.done and not signals.requested:
            record = epochs.run(made, lambda: signals.requested)
            if record is None:
                break
            for reporter in reporters:
                reporter.epoch(record)
            if save_to is not None and time.monotonic() - saved_at > config.checkpoint_seconds:
                state.save(save_to)
                saved_at = time.monotonic()
        if save_to is not None:
            state.save(save_to)
        if checkpoint is not None and signals.requested and not epochs.done:
            raise TrainingInterrupted(checkpoint)
        epochs.stopping.restore(gmvae)
        gmvae.eval()
    ended = "max_steps" if state.step == config.max_steps else "epochs"
    return TrainResult(
        history=state.history,
        stopped="patience" if epochs.stopping.should_stop else ended,
        best_epoch=epochs.stopping.best_epoch if config.keep_best else None,
        n_steps=state.step,
    )


def _in_turn(first: Transform | None, second: Transform | None) -> Transform | None:
    if first is None or second is None:
        return second if first is None else first
    return lambda x: second(first(x))


def _first(n: int, batches: Batches, transform: Transform | None) -> list[Tensor]:
    """The first data as the model sees them, drawn without touching the training's generators."""
    with forked_rng(batches.x.device):
        seen = batches.x[:n] if transform is None else transform(batches.x[:n])
    return [seen, *(c[:n] for c in batches.covariates)]
