"""Run a function in a forked process, which may be killed, and say how it ended.

A fork starts in milliseconds where a new Python would import torch for seconds. Fork before any
thread has been started: a lock that another thread holds stays locked in the child.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

__all__ = ["ERROR", "Ended", "run_forked"]

ERROR = 70  # the exit code after an exception
POLL = 0.002  # seconds


@dataclass(frozen=True)
class Ended:
    """How a forked process ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        answer: the JSON value that its function returned; None after an error.
        said: what it wrote on standard error.
        seconds: its duration.
        peak: bytes of memory that it took on top of those that it began with.
        overran: whether it was killed because its time was up.
    """

    code: int
    answer: Any
    said: str
    seconds: float
    peak: int
    overran: bool


def run_forked(
    work: Callable[[], Any],
    *,
    seconds: float = 120.0,
    memory: int | None = None,
    kills: Sequence[tuple[float, int]] = (),
) -> Ended:
    """Run ``work`` in a forked process.

    Args:
        work: returns a JSON value, or ends by `SystemExit`.
        seconds: after so many seconds the process is killed.
        memory: bytes that it may ask for on top of its parent's; None sets no limit.
        kills: moments in seconds, each with the signal to send then.
    """
    limit = None if memory is None else psutil.Process().memory_info().vms + memory
    with tempfile.TemporaryDirectory(prefix="forked") as folder:
        answer, said, held = (Path(folder, name) for name in ("answer", "said", "held"))
        said.touch()
        sys.stdout.flush()
        sys.stderr.flush()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(work, answer, said, held, limit)
        code, peak, overran = _wait(pid, began, seconds, sorted(kills))
        taken = time.monotonic() - began
        value = json.loads(answer.read_text()) if code == 0 and answer.is_file() else None
        text = said.read_text(errors="replace")
        at_first = int(held.read_text() or 0) if held.is_file() else peak
    return Ended(code, value, text, taken, max(0, peak - at_first), overran)


def _child(
    work: Callable[[], Any], answer: Path, said: Path, held: Path, limit: int | None
) -> None:
    """Do the work, and end the process without the parent's clean-up."""
    code = ERROR
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        # A child begins with less than its parent: pages of files are not copied.
        held.write_text(str(psutil.Process().memory_info().rss))
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        value = work()
        code = 0
        if value is not None:
            answer.write_text(json.dumps(value))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait(
    pid: int, began: float, seconds: float, kills: Sequence[tuple[float, int]]
) -> tuple[int, int, bool]:
    """Wait for a child and send it its signals; return code, peak memory and whether it overran."""
    left, overran = list(kills), False
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, overran
        now = time.monotonic() - began
        if left and now >= left[0][0]:
            os.kill(pid, left.pop(0)[1])
        elif now > seconds and not overran:
            overran = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(POLL)
