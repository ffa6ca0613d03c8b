"""Keep freed main memory in the process from one step of a training to the next."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["keeping_freed_memory"]

# The numbers of two parameters of `mallopt` in malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MIB = 2**20
KEPT = {M_TRIM_THRESHOLD: 2**31 - 1, M_MMAP_THRESHOLD: 1024 * MIB}
# The highest thresholds that glibc sets by itself, as blocks of this size are freed.
USUAL = {M_TRIM_THRESHOLD: 64 * MIB, M_MMAP_THRESHOLD: 32 * MIB}


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let the process keep the memory that it frees, and give it back at the end.

    The GNU C library gives large blocks back to the system as they are freed. The next step then
    asks for the same memory again, page by page. Nothing is changed with another library, or where
    environment variables set the library's thresholds.

    >>> with keeping_freed_memory():
    ...     total = sum(float(torch.ones(1000).sum()) for _ in range(3))
    >>> total
    3000.0
    """
    libc = _glibc()
    if libc is None or _set_by_user():
        yield
        return
    _set(libc, KEPT)
    try:
        yield
    finally:
        _set(libc, USUAL)
        libc.malloc_trim(0)


def _glibc() -> Any:
    """Return the process's own C library, or None if it is not glibc."""
    if os.name != "posix":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None


def _set_by_user() -> bool:
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    return any(name in os.environ for name in names) or "glibc.malloc" in tunables


def _set(libc: Any, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        libc.mallopt(parameter, value)
