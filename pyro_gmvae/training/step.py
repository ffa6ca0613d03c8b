"""Make one step of a training: the gradient of the objective, its check and the update."""

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
    """Hold the loss of a training in one module, so that accelerate can wrap it.

    >>> class Centre(Objective):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.centre = nn.Parameter(torch.zeros(2))
    ...     def forward(self, x, labels, *covariates):
    ...         loss = (x - self.centre).square().sum()
    ...         return ELBOTerms(loss, {"x": -loss.detach()})
    >>> objective = Centre()
    >>> objective.backward(1 / 5, torch.ones(5, 2), None).loss.item(), objective.centre.grad
    (10.0, tensor([-2., -2.]))
    """

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
        compiled: ``"try"`` warns if compilation is impossible; True raises.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    >>> objective = ELBOObjective(gmvae, elbo, compiled=False)
    >>> sorted(objective.backward(1 / 8, torch.ones(8, 4), None).sites)
    ['x', 'y', 'z']
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
        """Return the terms of the ELBO; model and guide take the same arguments."""
        if self.captured is not None:
            return self.captured(x, labels, *covariates)
        return self.elbo.terms(self.gmvae.model, self.gmvae.guide, x, labels, *covariates)

    def backward(
        self, scale: float, x: Tensor, labels: Tensor | None, *covariates: Tensor
    ) -> ELBOTerms:
        """Add the gradient to the parameters'; a captured ELBO has its own way."""
        if self.captured is not None:
            return self.captured.backward(x, labels, *covariates, scale=scale)
        return super().backward(scale, x, labels, *covariates)


def warn_uncompiled(error: CaptureError) -> None:
    """Warn that training continues without compilation.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_uncompiled(CaptureError("there is no compiler"))
    >>> str(caught[0].message)
    'training continues without compilation: there is no compiler'
    """
    warnings.warn(f"training continues without compilation: {error}", RuntimeWarning, stacklevel=2)


class TrainingStep:
    """Make a step: forward, backward, clipping, the meter's sums and the optimizer's update.

    Args:
        objective, optimizer: as accelerate prepared them.
        accelerator: accelerate's view of the devices and processes.
        clip_norm: the norm that the gradient is clipped to; None does not clip.
        meter: sums the terms of each step.
        watch: looks at the terms, and checks before the update that they are finite.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training.device import make_accelerator
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> elbo, accelerator = TraceEnumMeanField_ELBO(max_plate_nesting=1), make_accelerator("cpu")
    >>> objective = ELBOObjective(gmvae, elbo, compiled=False)
    >>> adam, watch = torch.optim.Adam(gmvae.parameters()), FiniteWatch(gmvae, accelerator.device)
    >>> step = TrainingStep(objective, adam, accelerator, clip_norm=1.0, meter=Meter(), watch=watch)
    >>> before = gmvae.model.component_loc.detach().clone()
    >>> step(0, 8, torch.ones(8, 4), None)
    >>> step.meter.count, torch.equal(gmvae.model.component_loc, before)
    (8, False)
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
        """Count step ``number``, and let the watch check it.

        Raises:
            NonFiniteLossError: as `FiniteWatch.check`.
        """
        self.watch.check(number)
        self.meter.count += len(x)

    def set_learning_rate(self, value: float) -> None:
        """Set the learning rate of the steps to come."""
        if value == self._learning_rate:
            return
        self._learning_rate = value
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value

    def gradient(self, batch_size: int, x: Tensor, y: Tensor | None, *covariates: Tensor) -> None:
        """Backpropagate, clip, and show the terms to watch and meter, on the device alone."""
        if isinstance(self.objective, Objective):
            terms = self.objective.backward(1 / batch_size, x, y, *covariates)
        else:  # accelerate's wrapper for several processes, which averages the gradients
            terms = self.objective(x, y, *covariates)
            # The average is over processes, whose shares of a batch may differ.
            self.accelerator.backward(terms.loss * self.accelerator.num_processes / batch_size)
        norm = self.accelerator.clip_grad_norm_(self.parameters, self.clip_norm)
        self.watch.see(terms, norm)
        self.meter.add(terms)

    def update(self) -> None:
        """Change the weights."""
        self.optimizer.step()
        self.optimizer.zero_grad()


class RecordedStep:
    """Make a `TrainingStep` on one GPU, and record the steps of whole batches.

    The watch then checks after the update; the weights that it restores are older than that.

    Args:
        step: the step.
        batch_size: rows in a whole batch.
        fallback: as in `Recorded`.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training.device import make_accelerator
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> elbo, accelerator = TraceEnumMeanField_ELBO(max_plate_nesting=1), make_accelerator("cpu")
    >>> objective = ELBOObjective(gmvae, elbo, compiled=False)
    >>> sgd, watch = torch.optim.SGD(gmvae.parameters()), FiniteWatch(gmvae, accelerator.device)
    >>> step = TrainingStep(objective, sgd, accelerator, clip_norm=None, meter=Meter(), watch=watch)
    >>> recorded = RecordedStep(step, batch_size=8)
    >>> for number in range(3):  # the first three steps need no GPU
    ...     recorded(number, 8, torch.ones(8, 4), None)
    >>> step.meter.count
    24
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
        """Make a step; see `TrainingStep`."""
        if batch_size == self.batch_size:
            self.whole(x, y, *covariates)
            self.step.made(number, x)
        else:
            self.step(number, batch_size, x, y, *covariates)

    def _whole(self, x: Tensor, y: Tensor | None, *covariates: Tensor) -> None:
        self.step.gradient(self.batch_size, x, y, *covariates)
        self.step.update()


class Recorded:
    """Run a step of whole batches as a `Recording`, or as it is if it cannot be recorded.

    Args:
        step: gradient and update, for inputs of the same shapes in every call.
        optimizer: the optimizer of the update.
        device: a CUDA device.
        fallback: takes the error if the step cannot be recorded; without it a `CaptureError` is
            raised.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> sgd = torch.optim.SGD(layer.parameters(), lr=1.0)
    >>> def step(x):
    ...     layer(x).sum().backward()
    ...     sgd.step()
    ...     sgd.zero_grad(set_to_none=False)
    >>> before = layer.weight.item()
    >>> recorded = Recorded(step, sgd, torch.device("cuda"))
    >>> recorded(torch.ones(1, 1))  # the first three calls need no GPU
    >>> round(before - layer.weight.item(), 4)
    1.0
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
                self.optimizer.zero_grad()  # a failed recording may have left gradients
        self.step(*inputs)


def changed_in_place(optimizer: Optimizer) -> None:
    """Let a recorded step of Adam see a new learning rate, and count its steps on the device."""
    for group in optimizer.param_groups:
        device = group["params"][0].device
        group["capturable"] = True
        group["lr"] = torch.as_tensor(group["lr"], device=device)
