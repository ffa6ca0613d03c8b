"""Let the threads of a process take turns at what the process has only once."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager

__all__ = ["turn"]

_lock = threading.RLock()


def turn() -> AbstractContextManager[object]:
    """Wait until no other thread is in its turn, then begin one that ends with the context.

    Pyro's handlers and settings, torch's random generators, the filters of Python's warnings and
    the style of matplotlib are shared by all threads. A thread may begin a turn within its own.
    Ctrl-C ends the wait.

    >>> with turn(), turn():
    ...     "a turn within a turn"
    'a turn within a turn'
    """
    return _lock


def _begin_anew() -> None:
    """Give a forked process a lock of its own, for the threads of its parent are not there."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_begin_anew)
