"""A step in a process of its own, whose memory and compiler no other step has touched."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from multiprocessing.connection import Connection

import torch

from benchmarks.cells import Cell
from benchmarks.timing import turns_of
from benchmarks.variants import NotApplicableError, warmed_up

__all__ = ["StepApart", "Within"]

Within = Callable[[], AbstractContextManager[object]]


class StepApart:
    """A warmed-up step of a variant of a cell, waiting in another process.

    Args:
        variant, cell: as `warmed_up` takes them.
        within: a function of a module; its context is held in that process throughout.

    Attributes:
        first: seconds until its first step was done, compilation included.

    Raises:
        NotApplicableError: if there is no such variant.
        RuntimeError: here and later, if the process has ended; it printed why.
    """

    def __init__(self, variant: str, cell: Cell, within: Within = nullcontext) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._name = f"{variant} of {cell.method}, K = {cell.clusters}"
        arguments = (theirs, variant, cell, within, torch.get_num_threads())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        answer = self._answer()
        if isinstance(answer, str):
            self.close()
            raise NotApplicableError(answer)
        (self.first,) = answer

    def turn(self, n_steps: int, seconds: float) -> list[float]:
        """Seconds of each step of a turn; see `side_by_side`."""
        self._pipe.send((n_steps, seconds))
        times = self._answer()
        assert isinstance(times, list)
        return times

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def _answer(self) -> list[float] | str:
        try:
            answer: list[float] | str = self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"the process that timed {self._name} has failed") from None
        return answer


def _serve(pipe: Connection, variant: str, cell: Cell, within: Within, threads: int) -> None:
    torch.set_num_threads(threads)
    with within():
        try:
            step, first = warmed_up(variant, cell)
        except NotApplicableError as reason:
            pipe.send(str(reason))
            return
        pipe.send([first])
        turn = turns_of(step, cell.device)
        with suppress(EOFError):  # nobody asks any more
            while True:
                pipe.send(turn(*pipe.recv()))
