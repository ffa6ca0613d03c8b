"""Stop a process at one of its changes to files, so that each one can be the last."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["at_event", "count_events"]

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")


def _watch(folder: Path, seen: Callable[[], None]) -> None:
    """Call ``seen`` before each change below ``folder``; an audit hook stays for good."""
    root = str(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if not (opened or event in CHANGES):
            return
        # Paths relative to an open folder, as rmtree has them, have no root: they count too.
        paths = [os.fsdecode(a) for a in arguments if isinstance(a, str | bytes | os.PathLike)]
        if any(path.startswith(root) or not os.path.isabs(path) for path in paths):
            seen()

    sys.addaudithook(hook)


def count_events(folder: Path) -> Callable[[], int]:
    """Count the changes below ``folder`` from now on; call the result for their number."""
    count = 0

    def seen() -> None:
        nonlocal count
        count += 1

    _watch(folder, seen)
    return lambda: count


def at_event(folder: Path, number: int, signal_number: int) -> None:
    """Send this process a signal before change ``number`` below ``folder``, counted from 0."""
    left = number

    def seen() -> None:
        nonlocal left
        left -= 1
        if left == -1:
            os.kill(os.getpid(), signal_number)

    _watch(folder, seen)
