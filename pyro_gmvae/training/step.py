"""Make one step of a training: the gradient of the objective, a watch on it, the update."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from typing import Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from pyro_gmvae.inference import (
    CapturedELBO,
    CaptureError,
    ELBOTerms,
    Recording,
    TraceEnumMeanField_ELBO,
)
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.metrics import Meter
from pyro_gmvae.training.watch import FiniteWatch

__all__ = [
    "ELBOObjective",
    "Objective",
    "RecordedStep",
    "TrainingStep",
    "warn_uncompiled",
]


class Objective(nn.Module, ABC):
    """Hold what a training minimises as one module, so that accelerate can wrap it."""

    @abstractmethod
    def forward(self, x: Tensor, labels: Tensor | None, *covariates: Tensor) -> ELBOTerms:
        """Return the terms of a batch, summed over its rows."""

    def backward(
        self, scale: float, x: Tensor, labels: Tensor | None, *covariates: Tensor
    ) -> ELBOTerms:
        """Add the gradient of ``scale * loss`` to the parameters', and return the terms."""
        terms: ELBOTerms = self(x, labels, *covariates)
        (scale * terms.loss).backward()
        return terms


class ELBOObjective(Objective):
    """Minimise minus the ELBO of a GMVAE: compiled, in chunks, or as it is.

    Args:
        gmvae: the model and guide.
        elbo: the ELBO.
        compiled: ``"try"`` compiles if it can and else warns; True raises then.
    """

    def __init__(
        self, gmvae: GMVAE, elbo: TraceEnumMeanField_ELBO, *, compiled: Literal["try"] | bool
    ) -> None:
        super().__init__()
        self.gmvae = gmvae
        self.elbo = elbo
        self.captured: CapturedELBO | None = None
        if compiled:
            fallback = warn_uncompiled if compiled == "try" else None
            self.captured = CapturedELBO(elbo, gmvae.model, gmvae.guide, fallback=fallback)

    def forward(self, x: Tensor, labels: Tensor | None, *covariates: Tensor) -> ELBOTerms:
        """Return the terms of the ELBO; the arguments are the pair's."""
        if self.captured is not None:
            return self.captured(x, labels, *covariates)
        return self.elbo.terms(self.gmvae.model, self.gmvae.guide, x, labels, *covariates)

    def backward(
        self, scale: float, x: Tensor, labels: Tensor | None, *covariates: Tensor
    ) -> ELBOTerms:
        """Take the gradient; the captured ELBO has its own."""
        if self.captured is not None:
            return self.captured.backward(x, labels, *covariates, scale=scale)
        return super().backward(scale, x, labels, *covariates)


def warn_uncompiled(error: CaptureError) -> None:
    """Warn that training continues without compilation."""
    warnings.warn(f"training continues without compilation: {error}", RuntimeWarning, stacklevel=2)


class TrainingStep:
    """Forward, backward, clipping, the meter's sums and the optimizer's step.

    Args:
        objective, optimizer: as accelerate prepared them.
        accelerator: of the training.
        clip_norm: of the gradient, at most; None leaves it.
        meter: told the terms of each step.
        watch: shown them, and asked before the update whether to go on.
    """

    def __init__(
        self,
        objective: nn.Module,
        optimizer: Optimizer,
        accelerator: Accelerator,
        *,
        clip_norm: float | None,
        meter: Meter,
        watch: FiniteWatch,
    ) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self.accelerator = accelerator
        self.clip_norm = clip_norm or inf
        self.meter = meter
        self.watch = watch
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._learning_rate: float | None = None

    def __call__(
        self, number: int, batch_size: int, x: Tensor, y: Tensor | None, *covariates: Tensor
    ) -> None:
        """Make step ``number`` with this process's share of a batch.

        Raises:
            NonFiniteLossError: as `FiniteWatch.check`.
        """
        self.gradient(batch_size, x, y, *covariates)
        self.made(number, x)
        self.update()

    def made(self, number: int, x: Tensor) -> None:
        """Count step ``number``, and let the watch look at it; raises as it does."""
        self.watch.check(number)
        self.meter.count += len(x)

    def set_learning_rate(self, value: float) -> None:
        """For the steps to come."""
        if value == self._learning_rate:
            return
        self._learning_rate = value
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value

    def gradient(self, batch_size: int, x: Tensor, y: Tensor | None, *covariates: Tensor) -> None:
        """Backpropagate and clip; shown to watch and meter, on the device alone."""
        if isinstance(self.objective, Objective):
            terms = self.objective.backward(1 / batch_size, x, y, *covariates)
        else:  # of several processes: accelerate's wrapper, which averages the gradients
            terms = self.objective(x, y, *covariates)
            # Over the processes, whose shares of a batch may differ.
            self.accelerator.backward(terms.loss * self.accelerator.num_processes / batch_size)
        norm = self.accelerator.clip_grad_norm_(self.parameters, self.clip_norm)
        self.watch.see(terms, norm)
        self.meter.add(terms)

    def update(self) -> None:
        """Change the weights."""
        self.optimizer.step()
        self.optimizer.zero_grad()


class RecordedStep:
    """A `TrainingStep` on one GPU, of which whole batches are recorded.

    The watch then looks after the update; what it falls back on is older than that.

    Args:
        step: the step.
        batch_size: of a whole batch.
        fallback: as of `Recorded`.
    """

    def __init__(
        self,
        step: TrainingStep,
        batch_size: int,
        fallback: Callable[[CaptureError], None] | None = None,
    ) -> None:
        self.step = step
        self.batch_size = batch_size
        self.whole = Recorded(self._whole, step.optimizer, step.accelerator.device, fallback)

    def __call__(
        self, number: int, batch_size: int, x: Tensor, y: Tensor | None, *covariates: Tensor
    ) -> None:
        """As `TrainingStep`."""
        if batch_size == self.batch_size:
            self.whole(x, y, *covariates)
            self.step.made(number, x)
        else:
            self.step(number, batch_size, x, y, *covariates)

    def _whole(self, x: Tensor, y: Tensor | None, *covariates: Tensor) -> None:
        self.step.gradient(self.batch_size, x, y, *covariates)
        self.step.update()


class Recorded:
    """A step of whole batches as a `Recording`, or as it is if that cannot be.

    Args:
        step: gradient and update; of the same shapes in every call.
        optimizer: that it updates with.
        device: a CUDA device.
        fallback: told why the step cannot be recorded; without it a `CaptureError` is raised.
    """

    def __init__(
        self,
        step: Callable[..., None],
        optimizer: Optimizer,
        device: torch.device,
        fallback: Callable[[CaptureError], None] | None = None,
    ) -> None:
        self.step = step
        self.optimizer = optimizer
        self.fallback = fallback
        changed_in_place(optimizer)
        self.recording: Recording | None = Recording(step, device)

    def __call__(self, *inputs: Tensor | None) -> None:
        if self.recording is not None:
            try:
                self.recording(*inputs)
                return
            except CaptureError as error:
                if self.fallback is None:
                    raise
                self.fallback(error)
                self.recording = None
                self.optimizer.zero_grad()  # of which an attempt may have left some
        self.step(*inputs)


def changed_in_place(optimizer: Optimizer) -> None:
    """Let a recorded step of Adam see a new learning rate, and count its steps on the device."""
    for group in optimizer.param_groups:
        device = group["params"][0].device
        group["capturable"] = True
        group["lr"] = torch.as_tensor(group["lr"], device=device)
