"""Let SIGTERM and SIGHUP end a command as Ctrl-C does: with its folders in order, and one line.

Without this the process would end on the spot, and leave half a folder that the same command
refuses.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pyro_gmvae.errors import SignalReceived

__all__ = ["ending_signals"]

NAMES = ("SIGTERM", "SIGHUP")  # Windows has only the first


@contextmanager
def ending_signals() -> Iterator[None]:
    """Raise `SignalReceived` at these signals; one that is ignored, as under nohup, stays so."""
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    raise SignalReceived(number)
