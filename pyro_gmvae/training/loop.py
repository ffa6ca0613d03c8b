"""Train a GMVAE; the loop is written to be read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from pyro_gmvae.data import BatchSource, ResidentBatches
from pyro_gmvae.errors import InputError, SignalReceived
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.labels import Labels, check_label_rows
from pyro_gmvae.models.must_link import must_linked
from pyro_gmvae.process.alone import alone
from pyro_gmvae.rng import forked_rng, reseed
from pyro_gmvae.training.annealing import put_back
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.device import make_accelerator, training_context
from pyro_gmvae.training.epochs import Epochs
from pyro_gmvae.training.errors import TrainingInterrupted
from pyro_gmvae.training.held_out import HeldOut
from pyro_gmvae.training.reporters import Record, Reporter
from pyro_gmvae.training.saving import Checkpoints
from pyro_gmvae.training.signals import AgreedEnd, Interruption
from pyro_gmvae.training.step import ELBOObjective, Objective

__all__ = ["TrainResult", "Transform", "elbo_objective", "fit"]

Transform = Callable[[Tensor], Tensor]

N_COUNTED = 2048  # data whose clusters are counted after an epoch


@dataclass(frozen=True)
class TrainResult:
    """Hold the history of a training and how it ended.

    Attributes:
        history: one record per epoch: ``epoch``, ``step``, ``loss``, ``elbo`` and its parts in
            nats per datum, the annealed weights, ``clusters_in_use``, ``validation_elbo``.
        stopped: ``"epochs"``, ``"max_steps"`` or ``"patience"``, whichever came first.
        best_epoch: the epoch whose weights were kept; None if they are the last ones.
        n_steps: gradient steps in all.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig, fit
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> result = fit(gmvae, torch.zeros(20, 2), TrainConfig(epochs=3, batch_size=10))
    >>> result.stopped, result.n_steps, len(result.history)
    ('epochs', 6, 3)
    """

    history: list[Record]
    stopped: str
    best_epoch: float | None
    n_steps: int


@alone
def fit(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"] | BatchSource,
    config: TrainConfig | None = None,
    *,
    labels: Labels | None = None,
    must_link: Int[Tensor, " groups"] | None = None,
    weights: Float[Tensor, " N"] | None = None,
    covariates: Sequence[Tensor] = (),
    validation: Tensor | Sequence[Tensor] | BatchSource | None = None,
    validation_weights: Float[Tensor, " M"] | None = None,
    transform: Transform | None = None,
    augment: Transform | None = None,
    objective: Objective | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    reporters: Sequence[Reporter] = (),
) -> TrainResult:
    """Train ``gmvae`` in place by stochastic variational inference.

    A tensor of data is put on the device once and batched there. On several processes (torchrun,
    ``accelerate launch``) each takes its share of every batch.

    Args:
        gmvae: one of the four GMVAEs, or a subclass.
        x: data, shape ``(N, *raw_event)``, in whatever form ``transform`` takes; or a
            `pyro_gmvae.data.BatchSource`, which brings its labels, covariates and transform along.
        config: the settings; the defaults if None.
        labels: ``(N,)``, -1 where missing, for semi-supervision; or responsibilities ``(N, K)``, of
            which a label is drawn for each datum in each epoch; None trains without any.
        must_link: a number for each row, the same for rows that are to be in one cluster, -1 for
            rows of which nothing is known (see `pyro_gmvae.models.MustLink`); None trains without.
        weights: how much each row counts, positive or zero: each epoch draws N rows in proportion
            (see `pyro_gmvae.data.ResidentBatches`); None trains on each row once an epoch.
        covariates: tensors of N rows, passed on to model and guide after ``(x, labels)``.
        validation: held-out data, ``x`` or ``(x, *covariates)`` or a source, for early stopping.
        validation_weights: how much each of these rows counts in the held-out ELBO, for which as
            many are drawn once in proportion.
        transform: applied to each batch of data on the device, such as an encoding.
        augment: applied before ``transform`` to the training batches alone. It must draw from
            torch's global generators, or a resumed training differs.
        objective: the loss to minimise in place of minus the ELBO.
        checkpoint: the file to save the training's state in. With it, Ctrl-C, SIGTERM and SIGHUP
            save the state and end the training after the current step. A state that cannot be
            written is a warning, and the last whole one stays.
        resume: continue from ``checkpoint``; on CPU the result is that of an unbroken run, bit
            for bit.
        reporters: objects that report the progress.

    Returns:
        The history and how it ended.

    Raises:
        InputError: if the device is missing, the labels do not fit the data and the clusters, no
            group has two rows, or the checkpoint does not fit.
        NonFiniteLossError: if the loss becomes NaN or infinite.
        TrainingInterrupted: after a signal, with the state saved.
        SignalReceived: after a signal, if no state could ever be saved.
        ValueError: for a resume without a checkpoint.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> result = fit(gmvae, torch.zeros(20, 2), TrainConfig(epochs=2, batch_size=10))
    >>> result.n_steps, [record["epoch"] for record in result.history]
    (4, [1, 2])
    """
    config = config or TrainConfig()
    if resume and checkpoint is None:
        raise ValueError("resume=True needs the checkpoint to resume from: name its file")
    accelerator = make_accelerator(config.device or gmvae.model.component_loc.device.type)
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
        if isinstance(x, Tensor):
            if labels is not None:
                check_label_rows(labels, len(x), gmvae.n_components)
            linked = must_linked(gmvae, x, must_link, covariates=covariates, transform=changed)
            stack.enter_context(linked)
        elif covariates or any(t is not None for t in (must_link, labels, weights, changed)):
            raise InputError(
                "a source of batches brings its labels, weights, covariates and transform along, "
                "and rows that must link are for data in memory: leave them out"
            )
        stack.enter_context(training_context(gmvae, config, accelerator))

        seed = int(torch.randint(2**62, ())) if config.seed is None else config.seed
        order = torch.Generator(device).manual_seed(seed)
        if isinstance(x, Tensor):
            batches: BatchSource = ResidentBatches(
                x.to(device),
                config.batch_size,
                labels=labels,
                covariates=covariates,
                transform=changed,
                weights=weights,
                # A last batch with fewer rows than processes is left out.
                drop_last=len(x) % config.batch_size < accelerator.num_processes,
            )
            seen = transform
        else:
            batches, seen = x, x.transform
        batches.generator = order
        if objective is None:
            objective = elbo_objective(gmvae, config)
        epochs = Epochs(
            gmvae,
            config,
            accelerator,
            objective,
            batches,
            order,
            held_out=_held_out(validation, validation_weights, config, transform, device),
            counted=_sample(N_COUNTED, batches, seen, device),
        )
        state = epochs.state
        if resume and checkpoint is not None:
            state.load(checkpoint)
            if accelerator.process_index > 0:  # the checkpoint has the draws of the first process
                reseed(seed + accelerator.process_index + state.step, device)

        is_main = accelerator.is_main_process
        reporters, save_to = (reporters, checkpoint) if is_main else ((), None)
        for reporter in reporters:
            reporter.start(epochs.total_steps, state.history)
            stack.callback(reporter.close)

        checkpoints = Checkpoints(epochs, save_to, config.checkpoint_seconds)

        def on_step(step: int) -> None:
            for reporter in reporters:
                reporter.step(step)
            checkpoints.if_due()

        end = AgreedEnd(signals, accelerator)
        while not epochs.done and end.number is None:
            record = epochs.run(on_step, end.asked_after_step)
            if record is None:
                break
            for reporter in reporters:
                reporter.epoch(record)
            checkpoints.if_due()
        checkpoints.now()
        if checkpoint is not None and end.number is not None and not epochs.done:
            if save_to is not None and not save_to.is_file():
                raise SignalReceived(end.number)
            raise TrainingInterrupted(checkpoint, end.number)
        epochs.stopping.restore(gmvae)
        gmvae.eval()
    ended = "max_steps" if state.step == config.max_steps else "epochs"
    return TrainResult(
        history=state.history,
        stopped="patience" if epochs.stopping.should_stop else ended,
        best_epoch=epochs.stopping.best_epoch if config.keep_best else None,
        n_steps=state.step,
    )


def elbo_objective(gmvae: GMVAE, config: TrainConfig) -> ELBOObjective:
    """Make the objective that is minus the ELBO of ``gmvae``, with the options of ``config``.

    Raises:
        InputError: for chunks of clusters where the method does not sum over all of them.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> objective = elbo_objective(gmvae, TrainConfig())
    >>> sorted(objective(torch.zeros(20, 2), None).sites)
    ['x', 'y', 'z']
    """
    if config.chunk_size is not None and gmvae.method != "exact":
        raise InputError(
            f"chunk_size is for the exact method, which sums over all clusters, not for "
            f"{gmvae.method}: leave it out"
        )
    elbo = TraceEnumMeanField_ELBO(
        num_particles=config.num_particles,
        vectorize_particles=True,
        max_plate_nesting=config.max_plate_nesting,
        parameter_sites=False,
    )
    elbo.chunk_size = config.chunk_size
    return ELBOObjective(gmvae, elbo, compiled=config.compile)


def _in_turn(first: Transform | None, second: Transform | None) -> Transform | None:
    if first is None or second is None:
        return second if first is None else first
    return lambda x: second(first(x))


def _held_out(
    validation: Tensor | Sequence[Tensor] | BatchSource | None,
    weights: Tensor | None,
    config: TrainConfig,
    transform: Transform | None,
    device: torch.device,
) -> HeldOut | None:
    if validation is None:
        return None
    if not isinstance(validation, Tensor | Sequence):
        return HeldOut(validation, device)
    given = [validation] if isinstance(validation, Tensor) else validation
    x, *covariates = [t.to(device) for t in given]
    batches = ResidentBatches(
        x,
        config.batch_size,
        covariates=covariates,
        transform=transform,
        shuffle=False,
        weights=weights,
    )
    return HeldOut(batches, device)


def _sample(
    n: int, batches: BatchSource, transform: Transform | None, device: torch.device
) -> list[Tensor]:
    """Draw some data as the model sees them, without touching the training's generators."""
    x, *covariates = (t.to(device) for t in batches.sample(n))
    with forked_rng(device):
        seen = x if transform is None else transform(x)
    return [seen, *covariates]
