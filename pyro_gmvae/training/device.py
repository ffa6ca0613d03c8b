"""Where a training runs: the device and the processes, by accelerate."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from pyro_gmvae.errors import InputError

__all__ = ["make_accelerator"]


def make_accelerator(device: str) -> Accelerator:
    """An `Accelerator` on ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: for an unknown device, or CUDA where there is none.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device {device!r}: use auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("this machine has no CUDA device: use --device cpu or auto")
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    # accelerate keeps one state a process and refuses another device; each fit decides anew.
    if PartialState._shared_state and (PartialState().device.type == "cpu") != on_cpu:
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=on_cpu)
