"""A step on one GPU that is recorded where it can be."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from pyro_gmvae.inference import CaptureError, Recording

__all__ = ["Recorded", "changed_in_place"]


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
