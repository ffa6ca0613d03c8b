"""Measure the peak memory of a call beyond what was in use before it."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.measuring.resident_memory import resident_bytes

__all__ = ["peak_bytes"]

CLEAR = Path("/proc/self/clear_refs")
M_MMAP_THRESHOLD = -3  # a parameter of mallopt


def peak_bytes(run: Callable[[], object], device: torch.device) -> int | None:
    """Return the peak memory during ``run`` less the memory at its beginning, in bytes.

    On CUDA this is the allocator's own count. On a CPU it is the process's resident memory: Linux
    is asked to reset its high-water mark, and malloc to hand back what is freed. That slows malloc,
    so do not time the same process. None on a system that is not Linux with glibc.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return None  # not glibc
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 16)
    libc.malloc_trim(0)
    try:
        CLEAR.write_text("5")
    except OSError:
        return None
    resident_before = resident_bytes("VmRSS")
    run()
    peak = resident_bytes("VmHWM")
    if resident_before is None or peak is None:
        return None
    return max(0, peak - resident_before)
