"""Measure what the machine can do at best: matrix products and copies."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.measuring.timing import timed

__all__ = ["LARGEST", "copy_bandwidth", "matrix_rate"]

LARGEST = 8192  # rows of the largest matrix
LONG_ENOUGH = 0.05  # seconds of a product; larger matrices have the same rate


def matrix_rate(device: torch.device, dtype: torch.dtype, largest: int = LARGEST) -> float:
    """Return the floating-point operations per second of a matrix product, best of all sizes.

    The sizes double until a product takes long enough: a processor without bfloat16 takes a hundred
    times as long in bfloat16.
    """
    rate, size, seconds = 0.0, min(256, largest), 0.0
    while size <= largest and seconds < LONG_ENOUGH:
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        seconds = _best(lambda a=a, b=b: a @ b, device)  # type: ignore[misc]
        rate = max(rate, 2 * size**3 / seconds)
        size *= 2
    return rate


def copy_bandwidth(device: torch.device, n_bytes: int | None = None) -> float:
    """Return the bytes per second of a large copy, bytes read and bytes written together."""
    n_bytes = n_bytes or (2**30 if device.type == "cuda" else 2**28)
    source = torch.randn(n_bytes // 4, device=device)
    target = torch.empty_like(source)
    return 2 * n_bytes / _best(lambda: target.copy_(source), device)


def _best(run: Callable[[], object], device: torch.device) -> float:
    # The best of many runs, not the median, is what the machine can do.
    run()
    return min(timed(run, device) for _ in range(10))
