"""Build several steps, warm them up and time them side by side."""

from __future__ import annotations

import gc
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pyro
import torch

from pyro_gmvae.benchmarks.cells import Cell
from pyro_gmvae.benchmarks.report import at_least
from pyro_gmvae.benchmarks.timing import Times, side_by_side, typical, warm_up
from pyro_gmvae.benchmarks.variants import NotApplicableError, build_step

__all__ = ["Measured", "add_timing_options", "measure", "typical_seconds"]

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
    """The options that `measure` reads."""
    parser.add_argument("--steps", type=at_least(1), default=10, help="in a turn, at most")
    parser.add_argument("--rounds", type=at_least(1), default=5, help="turns of each")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn, about")


def typical_seconds(measured: Measured[Key]) -> dict[Key, float]:
    """The median step of each."""
    return {key: typical(times) for key, times in measured.times.items()}


def measure(wanted: Mapping[Key, tuple[str, Cell]], arguments: Namespace) -> Measured[Key]:
    """Time variants of cells side by side.

    Args:
        wanted: names of variants, and cells.
        arguments: with the options of `add_timing_options`.
    """
    device = next(iter(wanted.values()))[1].device
    # What an earlier cell compiled would be taken for a recompilation, and shapes made dynamic.
    torch.compiler.reset()
    measured: Measured[Key] = Measured()
    steps = {}
    # One graph for each model: torch stops compiling one function after eight.
    with torch._dynamo.config.patch(recompile_limit=4 * len(wanted)):
        for key, (variant, cell) in wanted.items():
            try:
                start = time.perf_counter()
                step = build_step(variant, cell)
            except NotApplicableError as reason:
                measured.not_applicable[key] = str(reason)
                continue
            measured.first[key] = time.perf_counter() - start
            measured.first[key] += warm_up(step, device)
            steps[key] = step
        measured.times = side_by_side(
            steps,
            device,
            rounds=arguments.rounds,
            n_steps=arguments.steps,
            seconds=arguments.seconds,
        )
    del steps
    pyro.clear_param_store()
    gc.collect()
    return measured
