"""How much memory a call needs at its peak, beyond what was there before."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.resident import resident

__all__ = ["peak_bytes"]

CLEAR = Path("/proc/self/clear_refs")
M_MMAP_THRESHOLD = -3  # of mallopt


def peak_bytes(run: Callable[[], object], device: torch.device) -> int | None:
    """Peak memory during ``run`` less the memory at its beginning, in bytes.

    On CUDA it is the allocator's own count. On the CPU it is the process's resident memory, for
    which Linux is asked to begin its high-water mark anew and malloc to hand back what is freed
    (which slows it: measure times elsewhere). None where there is no such system.
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
    before = resident("VmRSS")
    run()
    peak = resident("VmHWM")
    return None if before is None or peak is None else max(0, peak - before)
