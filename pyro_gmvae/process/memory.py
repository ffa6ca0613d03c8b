"""Measure the free memory, and refuse what does not fit into it before it is allocated."""

from __future__ import annotations

import psutil
import torch

from pyro_gmvae.errors import InputError

__all__ = ["check_memory", "free_memory"]

GIB = 2**30


def free_memory(device: torch.device) -> int:
    """Return the free memory of a device, in bytes.

    >>> free_memory(torch.device("cpu")) > 0
    True
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def check_memory(needed: int, what: str, fix: str, *, device: torch.device | None = None) -> None:
    """Refuse what takes more than the free memory of a device.

    Args:
        needed: the memory that is needed, in bytes.
        what: what takes the memory.
        fix: what the user can do about it.
        device: the device; None is the CPU.

    Raises:
        InputError: if the memory does not suffice.

    >>> check_memory(2**60, "1000000 pictures", "draw fewer")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: there is too little memory for 1000000 pictures, ...
    """
    free = free_memory(device or torch.device("cpu"))
    if needed > free:
        raise InputError(
            f"there is too little memory for {what}, {needed / GIB:,.3g} GiB where "
            f"{free / GIB:,.3g} GiB are free: {fix}"
        )
