"""The forked worker tells every kind of end from the others."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.robustness.file_events import at_event, count_events
from tests.robustness.forked import ERROR, run_forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")


def test_an_answer() -> None:
    ended = run_forked(lambda: {"sum": 1 + 1})
    assert (ended.code, ended.answer, ended.overran) == (0, {"sum": 2}, False)


def test_an_error_is_told() -> None:
    ended = run_forked(lambda: 1 / 0)
    assert (ended.code, ended.answer) == (ERROR, None)
    assert ended.said.rstrip().endswith("ZeroDivisionError: division by zero")


def test_an_exit_code() -> None:
    def leave() -> None:
        raise SystemExit(2)

    assert run_forked(leave).code == 2


def test_too_long() -> None:
    ended = run_forked(lambda: time.sleep(60), seconds=0.2)
    assert ended.overran and ended.code == -signal.SIGKILL and ended.seconds < 30


def test_too_much_memory() -> None:
    ended = run_forked(lambda: np.ones(300_000_000).sum(), memory=1 << 30)
    assert ended.code == ERROR and "MemoryError" in ended.said
    assert run_forked(lambda: float(np.ones(1000).sum()), memory=1 << 30).answer == 1000


def test_the_peak_is_the_childs_own() -> None:
    assert run_forked(lambda: np.ones(40_000_000).sum() and None).peak > 250_000_000
    assert run_forked(lambda: None).peak < 100_000_000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_kill_at_a_moment(number: int) -> None:
    ended = run_forked(lambda: time.sleep(60), kills=[(0.1, number)])
    assert ended.code == -number and not ended.overran


def test_a_kill_at_each_change(tmp_path: Path) -> None:
    def work() -> None:
        (tmp_path / "a").write_text("a")
        (tmp_path / "a").read_text()  # no change
        os.replace(tmp_path / "a", tmp_path / "b")
        (tmp_path / "c").mkdir()

    def counted() -> int:
        count = count_events(tmp_path)
        work()
        return count()

    assert run_forked(counted).answer == 3
    found = []
    for number in range(3):
        for path in tmp_path.iterdir():
            path.rmdir() if path.is_dir() else path.unlink()

        def stopped(number: int = number) -> None:
            at_event(tmp_path, number, signal.SIGKILL)
            work()

        assert run_forked(stopped).code == -signal.SIGKILL
        found.append(sorted(path.name for path in tmp_path.iterdir()))
    assert found == [[], ["a"], ["b"]]
