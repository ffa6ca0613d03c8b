"""Spread calls that take long over processes of their own."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch

from pyro_gmvae.process.memory import free_memory

__all__ = ["in_processes", "jobs_that_fit"]

T = TypeVar("T")
Told = list[tuple[type[Warning], str]]

WORKER = 2**30  # bytes of a process that has imported torch and Pyro, and trains a small model


def jobs_that_fit(n_calls: int, size: int) -> int:
    """Return how many calls may go on at a time: one for each core, as far as the memory goes.

    Args:
        n_calls: number of calls.
        size: bytes that a call gets; it is counted three times, for the copies made on the way.

    >>> jobs_that_fit(1, 0)
    1
    """
    from joblib import cpu_count

    memory = free_memory(torch.device("cpu")) // (WORKER + 3 * size)
    return max(1, min(n_calls, cpu_count(), memory))


def in_processes(
    call: Callable[..., T], cases: Iterable[tuple[Any, ...]], jobs: int
) -> Iterator[tuple[int, T]]:
    """Call a function for each case, and yield the place of a case and its result as it is ready.

    A warning in another process is a warning in this one. An error ends the other calls.

    Args:
        call: a function of a module, so that other processes find it.
        cases: the arguments of each call, which are pickled; the next ones are asked for when a
            process is free.
        jobs: calls at a time; 1 makes them here, one after another.

    >>> sorted(in_processes(pow, [(2, 3), (3, 2)], jobs=1))
    [(0, 8), (1, 9)]
    """
    if jobs == 1:
        yield from ((place, call(*case)) for place, case in enumerate(cases))
        return
    from joblib import Parallel, delayed

    threads = max(1, torch.get_num_threads() // jobs)
    # Unordered: a result is there for the caller to keep as soon as it is ready.
    unordered = "generator_unordered"
    pool = Parallel(n_jobs=jobs, batch_size=1, pre_dispatch=jobs, return_as=unordered)
    for place, result, told in pool(
        delayed(_called)(place, threads, call, case) for place, case in enumerate(cases)
    ):
        for category, message in told:
            warnings.warn(message, category, stacklevel=2)
        yield place, result


def _called(
    place: int, threads: int, call: Callable[..., T], case: tuple[Any, ...]
) -> tuple[int, T, Told]:
    """Make a call in another process; Ctrl-C is for the first process, which ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        result = call(*case)
    return place, result, [(w.category, str(w.message)) for w in caught]
