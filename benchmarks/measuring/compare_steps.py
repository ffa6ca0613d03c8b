"""Build several training steps, warm them up and time them side by side."""

from __future__ import annotations

import gc
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pyro
import torch

from benchmarks.measuring.options import at_least
from benchmarks.measuring.step_case import StepCase
from benchmarks.measuring.step_in_process import HeldContext, StepInProcess
from benchmarks.measuring.step_variants import NotApplicableError, warmed_up
from benchmarks.measuring.timing import Times, Turn, side_by_side, turns_of, typical

__all__ = [
    "Measured",
    "add_measure_options",
    "add_timing_options",
    "measure",
    "measure_in_processes",
    "typical_seconds",
]

Key = TypeVar("Key")


@dataclass
class Measured(Generic[Key]):
    """Hold the times of each step.

    Attributes:
        times: seconds per step, by round.
        first: seconds until the first step was done, compilation included.
        not_applicable: the reason why a step has no times.
    """

    times: dict[Key, Times] = field(default_factory=dict)
    first: dict[Key, float] = field(default_factory=dict)
    not_applicable: dict[Key, str] = field(default_factory=dict)


def add_timing_options(parser: ArgumentParser) -> None:
    """Add the options that `measure_in_processes` reads."""
    parser.add_argument("--steps", type=at_least(1), default=10, help="steps in a turn, at most")
    parser.add_argument("--rounds", type=at_least(1), default=5, help="turns of each variant")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of a turn, about")


def add_measure_options(parser: ArgumentParser) -> None:
    """Add the options that `measure` reads."""
    add_timing_options(parser)
    parser.add_argument(
        "--one-process",
        action="store_true",
        help="time all variants in this process, as is always done on CUDA",
    )


def typical_seconds(measured: Measured[Key]) -> dict[Key, float]:
    """Return the median step of each key."""
    return {key: typical(times) for key, times in measured.times.items()}


def measure(wanted: Mapping[Key, tuple[str, StepCase]], arguments: Namespace) -> Measured[Key]:
    """Time variants of cases side by side.

    Args:
        wanted: the name of a variant and a case, by key.
        arguments: with the options of `add_measure_options`.
    """
    device = next(iter(wanted.values()))[1].device
    separate = device.type == "cpu" and not arguments.one_process
    return (measure_in_processes if separate else _measure_here)(wanted, arguments)


def measure_in_processes(
    wanted: Mapping[Key, tuple[str, StepCase]],
    arguments: Namespace,
    held: Mapping[Key, HeldContext] | None = None,
) -> Measured[Key]:
    """Time variants as `measure` does, each in a process of its own.

    In one process the memory that one step frees or keeps changes the time of others.

    Args:
        wanted: the name of a variant and a case, by key.
        arguments: with the options of `add_timing_options`.
        held: contexts that the processes hold, as `StepInProcess` takes them.
    """
    measured: Measured[Key] = Measured()
    steps: dict[Key, StepInProcess] = {}
    try:
        for key, (variant, case) in wanted.items():
            try:
                steps[key] = StepInProcess(variant, case, (held or {}).get(key, nullcontext))
            except NotApplicableError as reason:
                measured.not_applicable[key] = str(reason)
        measured.first = {key: step.first for key, step in steps.items()}
        measured.times = _times({key: step.turn for key, step in steps.items()}, arguments)
    finally:
        for step in steps.values():
            step.close()
    return measured


def _measure_here(
    wanted: Mapping[Key, tuple[str, StepCase]], arguments: Namespace
) -> Measured[Key]:
    """Time all variants in this process."""
    # Without a reset, torch would take graphs of an earlier case for recompilations of one
    # function and make their shapes dynamic.
    torch.compiler.reset()
    measured: Measured[Key] = Measured()
    turns = {}
    # Each model needs a graph of its own, and torch stops compiling a function after eight.
    with torch._dynamo.config.patch(recompile_limit=4 * len(wanted)):
        for key, (variant, case) in wanted.items():
            try:
                step, measured.first[key] = warmed_up(variant, case)
            except NotApplicableError as reason:
                measured.not_applicable[key] = str(reason)
                continue
            turns[key] = turns_of(step, case.device)
        measured.times = _times(turns, arguments)
    del turns
    pyro.clear_param_store()
    gc.collect()
    return measured


def _times(turns: Mapping[Key, Turn], arguments: Namespace) -> dict[Key, Times]:
    return side_by_side(
        turns, rounds=arguments.rounds, n_steps=arguments.steps, seconds=arguments.seconds
    )
