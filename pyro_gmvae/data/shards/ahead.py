"""Make the next items of an iterator while the last one is used."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")

PATIENCE = 0.1  # seconds between two looks at whether anyone still waits


def ahead(items: Iterable[T], depth: int = 1) -> Generator[T, None, None]:
    """Give the items of an iterator that a thread runs.

    The thread ends when the items do, or when this generator is closed. An error of the iterator
    is raised here.

    Args:
        items: what is run in the thread.
        depth: how many finished items wait at most, beside the one that is made.

    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    waiting: Queue[tuple[bool, T | BaseException | None]] = Queue(depth)
    left = threading.Event()

    def put(more: bool, item: T | BaseException | None) -> None:
        while not left.is_set():
            try:
                waiting.put((more, item), timeout=PATIENCE)
                return
            except Full:
                continue

    def run() -> None:
        try:
            for item in items:
                put(True, item)
                if left.is_set():
                    return
            put(False, None)
        except BaseException as error:  # raised where the items are used
            put(False, error)

    thread = threading.Thread(target=run, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            more, item = waiting.get()
            if not more:
                if item is not None:
                    raise item  # type: ignore[misc]
                return
            yield item  # type: ignore[misc]
    finally:
        left.set()
        while thread.is_alive():
            try:
                waiting.get_nowait()
            except Empty:
                thread.join(PATIENCE)
