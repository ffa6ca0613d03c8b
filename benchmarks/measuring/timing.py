"""Time several steps in turns, so that a slow spell of the machine falls on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import torch

__all__ = [
    "Step",
    "Times",
    "Turn",
    "milliseconds",
    "ratio",
    "side_by_side",
    "timed",
    "turns_of",
    "typical",
    "warm_up",
]

Times = list[list[float]]  # seconds per step, by round
# Takes the most steps and the most seconds of a turn; returns the seconds of each step.
Turn = Callable[[int, float], list[float]]
Key = TypeVar("Key")


@dataclass(frozen=True)
class Step:
    """Hold a step to be timed.

    Attributes:
        run: does one step.
        context: is held around a turn of steps and is not timed.
    """

    run: Callable[[], object]
    context: Callable[[], AbstractContextManager[object]] = nullcontext


def timed(run: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of one call, the device's work included."""
    _synchronize(device)
    start = time.perf_counter()
    run()
    _synchronize(device)
    return time.perf_counter() - start


def warm_up(step: Step, device: torch.device, n_steps: int = 5) -> float:
    """Run some steps and return the seconds of the first one, which may compile.

    Five steps are enough for a GPU's step to be recorded.
    """
    with step.context():
        first = timed(step.run, device)
        for _ in range(n_steps - 1):
            step.run()
    return first


def turns_of(step: Step, device: torch.device) -> Turn:
    """Return the turns of a step that has been warmed up.

    On CUDA, where steps queue up, a turn is timed as a whole.
    """

    def turn(n_steps: int, seconds: float) -> list[float]:
        with step.context():
            return _turn(step.run, device, n_steps, seconds)

    return turn


def side_by_side(
    turns: Mapping[Key, Turn], *, rounds: int, n_steps: int, seconds: float
) -> dict[Key, Times]:
    """Time steps in turns, A B C A B C ....

    Args:
        turns: the turns of each step, by key.
        rounds: number of turns that each step gets.
        n_steps: steps in a turn, at most.
        seconds: time after which a turn ends early.

    Returns:
        The seconds per step of each key, a list for each round.
    """
    times: dict[Key, Times] = {key: [] for key in turns}
    for _ in range(rounds):
        for key, turn in turns.items():
            times[key].append(turn(n_steps, seconds))
    return times


def _turn(
    run: Callable[[], object], device: torch.device, n_steps: int, seconds: float
) -> list[float]:
    if device.type == "cuda":
        n_steps = min(n_steps, max(1, round(seconds / timed(run, device))))
        return [timed(lambda: [run() for _ in range(n_steps)], device) / n_steps]
    times: list[float] = []
    while len(times) < n_steps and sum(times) < seconds:
        times.append(timed(run, device))
    return times


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def typical(times: Times) -> float:
    """Return the median step in seconds."""
    return median(t for turn in times for t in turn)


def ratio(times: Times | None, base: Times | None) -> float | None:
    """Divide by the times of ``base``: the median over rounds of each round's own ratio."""
    if times is None or base is None:
        return None
    return median(median(a) / median(b) for a, b in zip(times, base, strict=True))


def milliseconds(times: Times | None) -> str | None:
    """Write the median step for a table."""
    return None if times is None else f"{1e3 * typical(times):.2f}"
