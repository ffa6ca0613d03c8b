"""Answer Ctrl-C, SIGTERM and SIGHUP after the current step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

import torch
from accelerate import Accelerator
from torch.distributed import ReduceOp, all_reduce

__all__ = ["AgreedEnd", "Interruption"]

# Steps between two questions to the other processes; on a GPU an answer waits for its work.
EVERY = {"cpu": 1, "cuda": 50}
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


class AgreedEnd:
    """Let all processes of a training end after the same step, whichever has a signal.

    One that ended earlier would leave the others waiting for its gradients.

    Args:
        signals: the signals of this process.
        accelerator: accelerate's view of the processes.

    >>> from pyro_gmvae.training.device import make_accelerator
    >>> with Interruption() as signals:
    ...     end = AgreedEnd(signals, make_accelerator("cpu"))
    ...     print(end.asked_after_step())
    ...     signal.raise_signal(signal.SIGTERM)
    ...     print(end.asked_after_step())
    False
    True
    """

    def __init__(self, signals: Interruption, accelerator: Accelerator) -> None:
        self._signals = signals
        self._several = accelerator.num_processes > 1
        self._device = accelerator.device
        self._steps = 0
        self._agreed: int | None = None

    @property
    def number(self) -> int | None:
        """Return the number of the signal at which all are to end, or None."""
        return self._agreed if self._several else self._signals.number

    def asked_after_step(self) -> bool:
        """Return True if the work is to end; all processes must ask after each of their steps."""
        self._steps += 1
        if self._several and self._steps % EVERY[self._device.type] == 0:
            number = torch.tensor(self._signals.number or 0, device=self._device)
            all_reduce(number, ReduceOp.MAX)
            self._agreed = int(number) or None
        return self.number is not None
