"""The training loop, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyro
import torch
from jaxtyping import Int, Num
from torch import Tensor

from pyro_gmvae.data import Batches
from pyro_gmvae.draws import own_draws
from pyro_gmvae.inference import (
    Schedule,
    TraceEnumMeanField_ELBO,
    autocast_networks,
    own_stream,
)
from pyro_gmvae.models import GMVAE, ObjectiveWeights
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training.errors import TrainingInterrupted
from pyro_gmvae.training.held_out import HeldOut
from pyro_gmvae.training.known import Known, check_known, drawn_labels
from pyro_gmvae.training.links import linked
from pyro_gmvae.training.metrics import Meter, clusters_in_use
from pyro_gmvae.training.objective import Objective, say_why
from pyro_gmvae.training.reporters import Record, Reporter
from pyro_gmvae.training.resources import (
    fitting_chunk_size,
    networks_in_bfloat16,
    whether_to_compile,
    whether_to_record,
)
from pyro_gmvae.training.signals import Interruption
from pyro_gmvae.training.state import TrainState
from pyro_gmvae.training.step import RecordedStep, TrainingStep
from pyro_gmvae.training.stopping import EarlyStopping
from pyro_gmvae.training.watch import FiniteWatch

__all__ = ["TrainResult", "fit"]

Transform = Callable[[Tensor], Tensor]

ANNEALED = ("kl_weight", "z_kl_weight", "temperature", "regularizer_weight")
N_USAGE = 2048  # data whose clusters are counted after an epoch


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
    device = accelerator.device
    with ExitStack() as stack:
        if config.seed is not None:
            # Each process draws its own noise, but all of them the same order of the data.
            own = config.seed + accelerator.process_index
            stack.enter_context(own_draws(device, seed=own))
        # Validation reads values back in every step; the parameter store would be one global dict.
        stack.enter_context(pyro.validation_enabled(False))
        stack.enter_context(pyro.settings.context(module_local_params=True))
        # What training sets for its own ends it puts back: a saved model has none of it.
        stack.callback(gmvae.weights.set, **{n: float(getattr(gmvae.weights, n)) for n in ANNEALED})
        signals = Interruption()
        if checkpoint is not None:
            stack.enter_context(signals)

        changed = _in_turn(augment, transform)
        stack.enter_context(linked(gmvae, x, groups, covariates=covariates, transform=changed))
        recorded = whether_to_record(config, accelerator)
        stack.enter_context(own_stream(device, wanted=recorded))
        gmvae.to(device).train()
        if networks_in_bfloat16(config, device):
            stack.enter_context(autocast_networks(gmvae))
        parameters = [p for p in gmvae.parameters() if p.requires_grad]
        adam = torch.optim.Adam(parameters, config.learning_rate, fused=True)

        seed = int(torch.randint(2**62, ())) if config.seed is None else config.seed
        order = torch.Generator(device).manual_seed(seed)
        x = x.to(device)
        # A last batch that has not a row for every process is left out.
        drop_last = len(x) % config.batch_size < accelerator.num_processes
        batches = Batches(
            x,
            config.batch_size,
            y=y,
            covariates=covariates,
            transform=changed,
            generator=order,
            drop_last=drop_last,
        )
        held_out = None
        if validation is not None:
            validation = [validation] if isinstance(validation, Tensor) else list(validation)
            held_x, *held_covariates = [t.to(device) for t in validation]
            held_out = HeldOut(held_x, tuple(held_covariates), config.batch_size, transform)
        usage = _first(N_USAGE, x, covariates, transform)
        total = min(config.epochs * len(batches), config.max_steps or config.epochs * len(batches))
        annealed = config.annealing_ends(len(batches))

        share = -(-config.batch_size // accelerator.num_processes)  # this process's, of a batch
        seen, *given = _first(share, x, covariates, transform)
        elbo = TraceEnumMeanField_ELBO(
            num_particles=config.num_particles,
            vectorize_particles=True,
            max_plate_nesting=config.max_plate_nesting,
        )
        elbo.chunk_size = fitting_chunk_size(config, gmvae, elbo, [seen, None, *given])
        compiled = whether_to_compile(config, device, total)
        objective, optimizer = accelerator.prepare(Objective(gmvae, elbo, compiled=compiled), adam)

        meter = Meter()
        stopping = EarlyStopping(config.patience, config.keep_best)
        watch = FiniteWatch(gmvae, device)
        state = TrainState(gmvae, adam, meter, stopping, order, config)
        if resume:
            if checkpoint is None:
                raise ValueError("resume=True needs the checkpoint to resume from")
            state.load(checkpoint)
        annealing = Annealing(gmvae.weights, config.schedules(), len(batches))
        step = TrainingStep(
            objective,
            optimizer,
            accelerator,
            clip_norm=config.clip_norm,
            meter=meter,
            watch=watch,
        )
        make_step: TrainingStep | RecordedStep = step
        if recorded and elbo.chunk_size is None:  # chunks are heavy: starting them costs little
            fallback = None if config.compile is True else say_why
            make_step = RecordedStep(step, config.batch_size, fallback)
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        reporters = reporters if accelerator.is_main_process else ()
        save_to = checkpoint if accelerator.is_main_process else None
        for reporter in reporters:
            reporter.start(total, state.history)
            stack.callback(reporter.close)

        saved_at = epoch_started = time.monotonic()
        while state.step < total and not stopping.should_stop and not signals.requested:
            for x_batch, y_batch, *rest in batches.epoch(skip=state.batch):
                annealing.at(state.step)
                step.set_learning_rate(config.learning_rate_at(state.step, total))
                y_mine = None if y_batch is None else drawn_labels(y_batch[mine])
                covariates_mine = [c[mine] for c in rest]
                make_step(state.step, len(x_batch), x_batch[mine], y_mine, *covariates_mine)
                state.step += 1
                state.batch += 1
                for reporter in reporters:
                    reporter.step(state.step)
                if state.step == total or signals.requested:
                    break
            watch.read()
            if state.step < total and state.batch < len(batches):
                break  # interrupted within an epoch, which has no record yet

            gmvae.eval()
            record: Record = {"epoch": len(state.history) + 1, "step": state.step}
            record |= meter.means()
            record |= {
                name: float(getattr(gmvae.weights, name))
                for name in ANNEALED
                if gmvae.regularizer is not None or name != "regularizer_weight"
            }
            record["learning_rate"] = config.learning_rate_at(state.step - 1, total)
            record["clusters_in_use"] = clusters_in_use(gmvae, *usage)
            if held_out is not None:
                record["validation_elbo"] = held_out.elbo(objective, gmvae.weights)
                if state.step >= annealed:
                    stopping.update(record["epoch"], record["validation_elbo"], gmvae)
            gmvae.train()
            record["seconds"] = time.monotonic() - epoch_started
            state.finish_epoch(record)
            for reporter in reporters:
                reporter.epoch(record)
            now = epoch_started = time.monotonic()
            if save_to is not None and now - saved_at > config.checkpoint_seconds:
                state.save(save_to)
                saved_at = now

        if save_to is not None:
            state.save(save_to)
        unfinished = state.step < total and not stopping.should_stop
        if checkpoint is not None and signals.requested and unfinished:
            raise TrainingInterrupted(checkpoint)
        stopping.restore(gmvae)
        gmvae.eval()
    ended = "max_steps" if state.step == config.max_steps else "epochs"
    return TrainResult(
        history=state.history,
        stopped="patience" if stopping.should_stop else ended,
        best_epoch=stopping.best_epoch if config.keep_best else None,
        n_steps=state.step,
    )


class Annealing:
    """Sets w_t, b_t, tau and the weight of the penalties."""

    def __init__(
        self, weights: ObjectiveWeights, schedules: dict[str, Schedule], steps_per_epoch: int
    ) -> None:
        self.weights = weights
        self.schedules = schedules
        self.steps_per_epoch = steps_per_epoch
        self._set: dict[str, float] = {}

    def at(self, step: int) -> None:
        """For ``step``; a weight that stays as it is costs nothing."""
        now = {n: s.at(step, self.steps_per_epoch) for n, s in self.schedules.items()}
        self.weights.set(**{n: value for n, value in now.items() if self._set.get(n) != value})
        self._set = now


def _in_turn(first: Transform | None, second: Transform | None) -> Transform | None:
    if first is None or second is None:
        return second if first is None else first
    return lambda x: second(first(x))


def _first(
    n: int, x: Tensor, covariates: Sequence[Tensor], transform: Transform | None
) -> list[Tensor]:
    """The first data as the model sees them, drawn without touching the training's generators."""
    with own_draws(x.device):
        seen = x[:n] if transform is None else transform(x[:n])
    return [seen, *(c[:n].to(x.device) for c in covariates)]
