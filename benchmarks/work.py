"""The work in one training step: floating-point operations, and the least bytes it must move."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cells import Cell
from benchmarks.handwritten import handwritten
from pyro_gmvae.inference.memory import bytes_saved

__all__ = ["Work", "work_of"]

# A parameter is read in the forward and the backward pass, its gradient written and read; Adam
# reads it and two moments and writes the three.
PARAMETER_ACCESSES = 10
# What the backward pass needs is written once and read once, if every chain of operations between
# is one kernel.
ACTIVATION_ACCESSES = 2


@dataclass(frozen=True)
class Work:
    """Of one step.

    Attributes:
        flops: of the matrix products, forward and backward.
        parameter_bytes: of the parameters.
        activation_bytes: of the tensors that the backward pass needs, parameters aside.
    """

    flops: int
    parameter_bytes: int
    activation_bytes: int

    def named(self) -> dict[str, int]:
        """All of it, for a result."""
        return {**asdict(self), "bytes_moved": self.bytes_moved}

    @property
    def bytes_moved(self) -> int:
        """The least that has to go to and from memory."""
        return (
            PARAMETER_ACCESSES * self.parameter_bytes + ACTIVATION_ACCESSES * self.activation_bytes
        )


def work_of(cell: Cell) -> Work:
    """Counted on the hand-written form of the cell, the leanest there is."""
    gmvae, x = cell.gmvae(), cell.data()
    module = handwritten(gmvae, bfloat16=cell.precision == "bfloat16")
    with FlopCounterMode(display=False) as counter:
        module(x).backward()
    return Work(
        counter.get_total_flops(),
        sum(p.numel() * p.element_size() for p in gmvae.parameters()),
        bytes_saved(lambda: module(x), gmvae),
    )
