"""Time a step in a process of its own, whose memory and compiler no other step has touched."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from multiprocessing.connection import Connection

import torch

from benchmarks.measuring.step_case import StepCase
from benchmarks.measuring.step_variants import NotApplicableError, warmed_up
from benchmarks.measuring.timing import turns_of

__all__ = ["HeldContext", "StepInProcess"]

HeldContext = Callable[[], AbstractContextManager[object]]


class StepInProcess:
    """Keep a warmed-up step in another process, where it waits for its turns.

    Args:
        variant: a name of `step_variants.VARIANTS`.
        case: what is trained.
        held: makes the context that the process holds as long as it runs; a function of a module,
            so that it can be sent to the process.

    Attributes:
        first: seconds until the first step was done, compilation included.

    Raises:
        NotApplicableError: if the case has no such variant.
        RuntimeError: here or in `turn`, if the process has ended; the process printed why.
    """

    def __init__(self, variant: str, case: StepCase, held: HeldContext = nullcontext) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._name = f"{variant} of {case.method}, K = {case.clusters}"
        arguments = (theirs, variant, case, held, torch.get_num_threads())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        answer = self._answer()
        if isinstance(answer, str):
            self.close()
            raise NotApplicableError(answer)
        (self.first,) = answer

    def turn(self, n_steps: int, seconds: float) -> list[float]:
        """Return the seconds of each step of a turn; see `timing.side_by_side`."""
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


def _serve(pipe: Connection, variant: str, case: StepCase, held: HeldContext, threads: int) -> None:
    torch.set_num_threads(threads)
    with held():
        try:
            step, first = warmed_up(variant, case)
        except NotApplicableError as reason:
            pipe.send(str(reason))
            return
        pipe.send([first])
        turn = turns_of(step, case.device)
        with suppress(EOFError):  # the other end was closed
            while True:
                pipe.send(turn(*pipe.recv()))
