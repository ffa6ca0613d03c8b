"""Draw random numbers without disturbing torch's global generators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["forked_rng", "reseed"]


@contextmanager
def forked_rng(*devices: torch.device, seed: int | None = None) -> Iterator[None]:
    """Restore torch's global generators of the CPU and of ``devices`` when the context ends.

    Args:
        devices: other devices; only the CUDA ones have a generator to restore.
        seed: where the generators start inside the context; None goes on from their present state.

    >>> with forked_rng(seed=0):
    ...     first = torch.rand(3)
    >>> with forked_rng(seed=0):
    ...     second = torch.rand(3)
    >>> torch.equal(first, second)
    True
    """
    gpus = [device for device in devices if device.type == "cuda"]
    with torch.random.fork_rng(devices=gpus):
        if seed is not None:
            reseed(seed, *gpus)
        yield


def reseed(seed: int, *devices: torch.device) -> None:
    """Let torch's global generators of the CPU and of ``devices`` begin at a seed.

    `torch.manual_seed` would also reseed GPUs that are not among the devices.

    >>> with forked_rng():
    ...     reseed(0)
    ...     first = torch.rand(3)
    ...     reseed(0)
    ...     torch.equal(first, torch.rand(3))
    True
    """
    torch.default_generator.manual_seed(seed)
    for gpu in devices:
        if gpu.type == "cuda":
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
