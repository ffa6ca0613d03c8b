"""Count the floating-point operations of a training step and the least bytes it must move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring.handwritten import handwritten
from benchmarks.measuring.step_case import StepCase
from pyro_gmvae.inference.memory import bytes_saved

__all__ = ["Work", "matrix_flops", "work_of"]

# The forward and the backward pass read a parameter; its gradient is written and read; Adam reads
# the parameter and two moments and writes all three.
PARAMETER_ACCESSES = 10
# A tensor kept for the backward pass is written once and read once, if every chain of operations
# between is one kernel.
ACTIVATION_ACCESSES = 2


@dataclass(frozen=True)
class Work:
    """Hold the work of one step.

    Attributes:
        flops: operations of the matrix products, forward and backward.
        parameter_bytes: bytes of the parameters.
        activation_bytes: bytes of the tensors that the backward pass needs, without parameters.
    """

    flops: int
    parameter_bytes: int
    activation_bytes: int

    def named(self) -> dict[str, int]:
        """Return all figures for a result."""
        return {**asdict(self), "bytes_moved": self.bytes_moved}

    @property
    def bytes_moved(self) -> int:
        """Sum up the fewest bytes that have to go to and from memory."""
        return (
            PARAMETER_ACCESSES * self.parameter_bytes + ACTIVATION_ACCESSES * self.activation_bytes
        )


def matrix_flops(run: Callable[[], object]) -> int:
    """Count the operations of the matrix products and convolutions of a call."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def work_of(case: StepCase) -> Work:
    """Count the work of the hand-written form of the case, which is the leanest."""
    gmvae, x = case.gmvae(), case.data()
    module = handwritten(gmvae, bfloat16=case.precision == "bfloat16")
    return Work(
        matrix_flops(lambda: module(x).backward()),
        sum(p.numel() * p.element_size() for p in gmvae.parameters()),
        bytes_saved(lambda: module(x), gmvae),
    )
