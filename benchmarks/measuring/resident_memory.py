"""Read a process's resident memory as Linux counts it.

Nothing is imported here that would add to that memory.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["resident_bytes"]

STATUS = Path("/proc/self/status")


def resident_bytes(name: str) -> int | None:
    """Return this process's bytes, now (VmRSS) or at the peak (VmHWM); None if not on Linux.

    `getrusage` is no help: its peak may be that of the process which started this one.
    """
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])
