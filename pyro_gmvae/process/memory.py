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


def check_memory(needed: int, device: torch.device, what: str, fix: str) -> None:
    """Refuse a request that takes more than the free memory of a device.

    Args:
        needed: the memory that is needed, in bytes.
        device: the device.
        what: what takes the memory, in the plural.
        fix: what the user can do about it.

    Raises:
        InputError: if the memory does not suffice.

    >>> check_memory(2**60, torch.device("cpu"), "1000000 pictures", "draw fewer")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: 1000000 pictures take 1,073,741,824.0 GiB of memory, and ...
    """
    free = free_memory(device)
    if needed > free:
        raise InputError(
            f"{what} take {needed / GIB:,.1f} GiB of memory, and {free / GIB:,.1f} GiB are free: "
            f"{fix}"
        )
