"""One step of a training: the gradient, a look at whether it is finite, the update."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer

from pyro_gmvae.inference import CaptureError
from pyro_gmvae.training.metrics import Meter
from pyro_gmvae.training.objective import Objective
from pyro_gmvae.training.recorded import Recorded
from pyro_gmvae.training.watch import FiniteWatch

__all__ = ["RecordedStep", "TrainingStep"]


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
