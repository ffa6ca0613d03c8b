"""Threads take turns, and neither Ctrl-C nor a fork leaves the turn taken."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from pyro_gmvae.process.turns import turn


@contextmanager
def taken_elsewhere() -> Iterator[threading.Event]:
    """Another thread is in its turn until the event is set."""
    begun, end = threading.Event(), threading.Event()

    def take() -> None:
        with turn():
            begun.set()
            end.wait()

    thread = threading.Thread(target=take)
    thread.start()
    begun.wait()
    try:
        yield end
    finally:
        end.set()
        thread.join()


def free_for_others() -> bool:
    """Whether another thread can take its turn at once."""

    def take() -> bool:
        lock: Any = turn()
        taken: bool = lock.acquire(blocking=False)
        if taken:
            lock.release()
        return taken

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(take).result()


def test_turns_do_not_overlap() -> None:
    inside, most = 0, 0

    def take(_: int) -> None:
        nonlocal inside, most
        for _ in range(50):
            with turn(), turn():
                inside += 1
                most = max(most, inside)
                threading.Event().wait(0)
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, range(4)))
    assert most == 1


def test_a_failure_ends_the_turn() -> None:
    with pytest.raises(ZeroDivisionError), turn():
        1 / 0  # noqa: B018
    assert free_for_others()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
def test_ctrl_c_ends_the_wait() -> None:
    with taken_elsewhere():
        previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            with pytest.raises(KeyboardInterrupt), turn():
                pass
        finally:
            signal.signal(signal.SIGALRM, previous)
    with turn():
        pass
    assert free_for_others()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_threads_that_it_has_not() -> None:
    with taken_elsewhere():
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # ends a child that waits
            with turn():
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_process_forked_within_a_turn_can_end_it() -> None:
    with turn():
        child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if free_for_others() else 1)
    assert os.waitpid(child, 0)[1] == 0
