"""Random draws that nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["forked_rng"]


@contextmanager
def forked_rng(*devices: torch.device, seed: int | None = None) -> Iterator[None]:
    """Torch's global generators of the CPU and ``devices``: inside at ``seed``, outside untouched.

    Without a seed they go on from where they are, and are put back.
    """
    gpus = [device for device in devices if device.type == "cuda"]
    with torch.random.fork_rng(devices=gpus):
        if seed is not None:
            # Not torch.manual_seed: it would reseed GPUs that nobody asked about.
            torch.default_generator.manual_seed(seed)
            for gpu in gpus:
                with torch.cuda.device(gpu):
                    torch.cuda.manual_seed(seed)
        yield
