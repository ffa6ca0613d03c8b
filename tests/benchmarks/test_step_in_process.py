"""A step in a process of its own."""

from __future__ import annotations

import pytest

from benchmarks.measuring.step_case import StepCase
from benchmarks.measuring.step_in_process import StepInProcess
from benchmarks.measuring.step_variants import NotApplicableError


def small(method: str = "sparse") -> StepCase:
    return StepCase(method, 2, (4,), batch=4, inputs=6, latent=2)


def test_turns() -> None:
    step = StepInProcess("hand", small())
    try:
        assert step.first > 0
        assert len(step.turn(3, 60.0)) == 3
        assert len(step.turn(1, 60.0)) == 1
    finally:
        step.close()


def test_no_such_variant() -> None:
    with pytest.raises(NotApplicableError, match="complete"):
        StepInProcess("stock-elbo", small())


def test_a_process_that_fails() -> None:
    with pytest.raises(RuntimeError, match="hand of unheard-of"):
        StepInProcess("hand", small("unheard-of"))
