"""Answer Ctrl-C, SIGTERM and SIGHUP after the current step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

__all__ = ["Interruption"]

# Windows has no SIGHUP.
ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class Interruption:
    """Note the first signal that asks for an end; a second SIGINT interrupts at once.

    A signal that is ignored stays ignored, as SIGHUP is under nohup. SIGINT is the exception: a
    shell ignores it for every job in the background, and a training there is ended by it too.
    Outside the main thread, where Python allows no handlers, it does nothing.

    Attributes:
        number: the number of the signal, or None.

    >>> import os
    >>> with Interruption() as signals:
    ...     os.kill(os.getpid(), signal.SIGTERM)
    >>> signals.requested, signals.number == signal.SIGTERM
    (True, True)
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._previous: dict[int, object] = {}

    @property
    def requested(self) -> bool:
        """Return True if the work is to end."""
        return self.number is not None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                before = signal.getsignal(number)
                if number == signal.SIGINT or before != signal.SIG_IGN:
                    signal.signal(number, self._request)
                    self._previous[number] = signal.SIG_DFL if before is None else before
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.requested:
            self.number = number
