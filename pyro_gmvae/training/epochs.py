"""Run the epochs of a training, and record the metrics after each one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from pyro_gmvae.data import BatchSource
from pyro_gmvae.models import GMVAE
from pyro_gmvae.models.labels import drawn_labels
from pyro_gmvae.training.annealing import Annealing
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.held_out import HeldOut
from pyro_gmvae.training.metrics import Meter, clusters_in_use
from pyro_gmvae.training.reporters import Record
from pyro_gmvae.training.resources import records_steps
from pyro_gmvae.training.state import TrainState
from pyro_gmvae.training.step import Objective, RecordedStep, TrainingStep, warn_uncompiled
from pyro_gmvae.training.stopping import EarlyStopping
from pyro_gmvae.training.watch import FiniteWatch

__all__ = ["Epochs"]


class Epochs:
    """Run one epoch after another, within `training_context`.

    Args:
        gmvae: the model in training.
        config: the settings of the training.
        accelerator: accelerate's view of the devices and processes.
        objective: the loss to minimise.
        batches: all data; each process takes its share of every batch.
        order: the generator that shuffles the data.
        held_out: the data that the best weights are chosen by; None keeps the last weights.
        counted: the data whose clusters are counted, as the pair's arguments without ``y``.

    Attributes:
        state: the state of the training, to be saved and loaded.
        total_steps: the number of steps, at most.

    >>> from pyro_gmvae.data import ResidentBatches
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training.loop import elbo_objective, make_accelerator
    >>> x, config = torch.zeros(20, 2), TrainConfig(epochs=2, batch_size=10)
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> epochs = Epochs(
    ...     gmvae, config, make_accelerator("cpu"), elbo_objective(gmvae, config),
    ...     ResidentBatches(x, 10), torch.Generator(), held_out=None, counted=[x],
    ... )
    >>> record = epochs.run(on_step=lambda step: None, interrupted=lambda: False)
    >>> record["epoch"], record["step"], epochs.done
    (1, 2, False)
    """

    def __init__(
        self,
        gmvae: GMVAE,
        config: TrainConfig,
        accelerator: Accelerator,
        objective: Objective,
        batches: BatchSource,
        order: torch.Generator,
        *,
        held_out: HeldOut | None,
        counted: Sequence[Tensor],
    ) -> None:
        self.gmvae, self.config, self.batches = gmvae, config, batches
        self.held_out, self.counted, self.objective = held_out, counted, objective
        self.total_steps = config.total_steps(len(batches))
        self.share = slice(accelerator.process_index, None, accelerator.num_processes)

        parameters = [p for p in gmvae.parameters() if p.requires_grad]
        adam = torch.optim.Adam(parameters, config.learning_rate, fused=True)
        prepared, optimizer = accelerator.prepare(objective, adam)

        self.meter = Meter(gmvae.teaching_sites)
        self.watch = FiniteWatch(gmvae, accelerator.device)
        self.stopping = EarlyStopping(config.patience, config.keep_best)
        self.annealing = Annealing(gmvae.weights, config.schedules(), len(batches))
        self.state = TrainState(gmvae, adam, self.meter, self.stopping, order, config)
        self.step = TrainingStep(
            prepared,
            optimizer,
            accelerator,
            clip_norm=config.clip_norm,
            meter=self.meter,
            watch=self.watch,
        )
        self.make_step: TrainingStep | RecordedStep = self.step
        # Chunks are not recorded: they are so heavy that starting them costs little.
        if records_steps(config, accelerator) and config.chunk_size is None:
            fallback = None if config.compile is True else warn_uncompiled
            self.make_step = RecordedStep(self.step, config.batch_size, fallback)

    @property
    def at_end_of_epoch(self) -> bool:
        """Return True between the last step of an epoch and its record."""
        state = self.state
        last = state.step >= self.total_steps or state.batch >= len(self.batches)
        return last and state.batch > 0

    @property
    def done(self) -> bool:
        """Return True if no step is left to make."""
        return self.state.step >= self.total_steps or self.stopping.should_stop

    def run(
        self, on_step: Callable[[int], object], interrupted: Callable[[], bool]
    ) -> Record | None:
        """Run the next epoch, or the rest of one that was interrupted.

        Args:
            on_step: called after each step with the number of steps made in all.
            interrupted: asked after each step whether to leave the epoch.

        Returns:
            The record of the epoch; None if it was left.

        Raises:
            NonFiniteLossError: if the loss becomes NaN or infinite.
        """
        started, state = time.monotonic(), self.state
        for x, labels, *covariates in self.batches.epoch(state.batch, self.share):
            self.annealing.at(state.step)
            self.step.set_learning_rate(self._learning_rate(state.step))
            drawn = None if labels is None else drawn_labels(labels)
            self.make_step(state.step, self.batches.size(state.batch), x, drawn, *covariates)
            state.step += 1
            state.batch += 1
            on_step(state.step)
            if state.step == self.total_steps or interrupted():
                break
        self.watch.read()
        if state.step < self.total_steps and state.batch < len(self.batches):
            return None
        record = self._record() | {"seconds": time.monotonic() - started}
        state.finish_epoch(record)
        return record

    def _record(self) -> Record:
        gmvae, state = self.gmvae.eval(), self.state
        record: Record = {"epoch": len(state.history) + 1, "step": state.step}
        record |= self.meter.means() | gmvae.weights.values()
        if gmvae.regularizer is None:
            del record["regularizer_weight"]
        record["learning_rate"] = self._learning_rate(state.step - 1)
        record["clusters_in_use"] = clusters_in_use(gmvae, *self.counted)
        if self.held_out is not None:
            # The objective itself: the wrapper for several processes would wait for the others.
            elbo = self.held_out.elbo(self.objective, gmvae.weights, self.share)
            record["validation_elbo"] = elbo
            if state.step >= self.config.annealing_ends(len(self.batches)):
                self.stopping.update(record["epoch"], elbo, gmvae)
        gmvae.train()
        return record

    def _learning_rate(self, step: int) -> float:
        return self.config.learning_rate_at(step, self.total_steps)
