"""A process's resident memory as Linux counts it. Imports nothing that would add to it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["resident"]

STATUS = Path("/proc/self/status")


def resident(name: str) -> int | None:
    """Bytes of this process's memory, now (VmRSS) or at its peak (VmHWM); None but on Linux.

    Not `getrusage`, whose peak may be that of the process which started this one.
    """
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])
