"""Build several steps, warm them up and time them side by side."""

from __future__ import annotations

import gc
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pyro
import torch

from benchmarks.apart import StepApart, Within
from benchmarks.cells import Cell
from benchmarks.report import at_least
from benchmarks.timing import Times, Turn, side_by_side, turns_of, typical
from benchmarks.variants import NotApplicableError, warmed_up

__all__ = [
    "Measured",
    "add_measure_options",
    "add_timing_options",
    "measure",
    "measure_apart",
    "typical_seconds",
]

Key = TypeVar("Key")


@dataclass
class Measured(Generic[Key]):
    """What was found out about each step.

    Attributes:
        times: seconds per step, by round.
        first: seconds until the first step was done, compilation included.
        not_applicable: why there are no times.
    """

    times: dict[Key, Times] = field(default_factory=dict)
    first: dict[Key, float] = field(default_factory=dict)
    not_applicable: dict[Key, str] = field(default_factory=dict)


def add_timing_options(parser: ArgumentParser) -> None:
    """The options that `measure_apart` reads."""
    parser.add_argument("--steps", type=at_least(1), default=10, help="in a turn, at most")
    parser.add_argument("--rounds", type=at_least(1), default=5, help="turns of each")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn, about")


def add_measure_options(parser: ArgumentParser) -> None:
    """The options that `measure` reads."""
    add_timing_options(parser)
    parser.add_argument(
        "--one-process", action="store_true", help="time all in this one, as is done on CUDA"
    )


def typical_seconds(measured: Measured[Key]) -> dict[Key, float]:
    """The median step of each."""
    return {key: typical(times) for key, times in measured.times.items()}


def measure(wanted: Mapping[Key, tuple[str, Cell]], arguments: Namespace) -> Measured[Key]:
    """Time variants of cells side by side.

    Args:
        wanted: names of variants, and cells.
        arguments: with the options of `add_measure_options`.
    """
    device = next(iter(wanted.values()))[1].device
    apart = device.type == "cpu" and not arguments.one_process
    return (measure_apart if apart else _together)(wanted, arguments)


def measure_apart(
    wanted: Mapping[Key, tuple[str, Cell]],
    arguments: Namespace,
    within: Mapping[Key, Within] | None = None,
) -> Measured[Key]:
    """The same, each in a process of its own: what one frees or keeps of memory changes others.

    Args:
        wanted: as of `measure`.
        arguments: with the options of `add_timing_options`.
        within: contexts to hold in the processes, as `StepApart` takes them.
    """
    measured: Measured[Key] = Measured()
    steps: dict[Key, StepApart] = {}
    try:
        for key, (variant, cell) in wanted.items():
            try:
                steps[key] = StepApart(variant, cell, (within or {}).get(key, nullcontext))
            except NotApplicableError as reason:
                measured.not_applicable[key] = str(reason)
        measured.first = {key: step.first for key, step in steps.items()}
        measured.times = _times({key: step.turn for key, step in steps.items()}, arguments)
    finally:
        for step in steps.values():
            step.close()
    return measured


def _together(wanted: Mapping[Key, tuple[str, Cell]], arguments: Namespace) -> Measured[Key]:
    """All in this process."""
    # What an earlier cell compiled would be taken for a recompilation, and shapes made dynamic.
    torch.compiler.reset()
    measured: Measured[Key] = Measured()
    turns = {}
    # One graph for each model: torch stops compiling one function after eight.
    with torch._dynamo.config.patch(recompile_limit=4 * len(wanted)):
        for key, (variant, cell) in wanted.items():
            try:
                step, measured.first[key] = warmed_up(variant, cell)
            except NotApplicableError as reason:
                measured.not_applicable[key] = str(reason)
                continue
            turns[key] = turns_of(step, cell.device)
        measured.times = _times(turns, arguments)
    del turns
    pyro.clear_param_store()
    gc.collect()
    return measured


def _times(turns: Mapping[Key, Turn], arguments: Namespace) -> dict[Key, Times]:
    return side_by_side(
        turns, rounds=arguments.rounds, n_steps=arguments.steps, seconds=arguments.seconds
    )
