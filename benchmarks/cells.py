"""What is trained in a measurement: method, number of clusters, network, batch, device."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.report import at_least
from pyro_gmvae.models import GMVAE, METHODS

__all__ = ["Cell", "add_cell_options", "cells_of"]


@dataclass(frozen=True)
class Cell:
    """A model and a batch of binary data.

    Attributes:
        method: of inference.
        clusters: K.
        hidden: sizes of the hidden layers.
        batch: rows.
        latent: Z.
        device_type: ``"cpu"`` or ``"cuda"``.
        seed: of the first weights and the batch.
        precision: of the networks, ``"float32"`` or ``"bfloat16"``.
        chunk_size: clusters that our exact method sums at a time; None takes all.
        inputs: features of a row.
        drawn_share: of the sparse method; a quarter is that of trainings with a regulariser.
    """

    method: str
    clusters: int
    hidden: tuple[int, ...] = (512, 512)
    batch: int = 256
    latent: int = 10
    device_type: str = "cpu"
    seed: int = 0
    precision: str = "float32"
    chunk_size: int | None = None
    inputs: int = 784
    drawn_share: float = 0.25

    @property
    def device(self) -> torch.device:
        return torch.device(self.device_type)

    def named(self) -> dict[str, Any]:
        """What tells it from the others, for a result."""
        return {"method": self.method, "clusters": self.clusters, "hidden": self.hidden}

    def gmvae(self) -> GMVAE:
        """A fresh model."""
        torch.manual_seed(self.seed)
        options: dict[str, Any] = (
            {"drawn_share": self.drawn_share} if self.method == "sparse" else {}
        )
        gmvae = METHODS[self.method](
            self.inputs, self.clusters, self.latent, hidden=self.hidden, **options
        )
        return gmvae.to(self.device).train()

    def data(self) -> Tensor:
        """A batch, shape ``(batch, inputs)``."""
        probabilities = torch.full((self.batch, self.inputs), 0.3)
        generator = torch.Generator().manual_seed(self.seed)
        return torch.bernoulli(probabilities, generator=generator).to(self.device)


def hidden_sizes(text: str) -> tuple[int, ...]:
    """``"512,512"`` as sizes of hidden layers."""
    sizes = text.split(",")
    if not all(size.isdigit() and int(size) > 0 for size in sizes):
        raise ArgumentTypeError(f"{text!r} is not a list of sizes such as 512,512")
    return tuple(map(int, sizes))


def add_cell_options(parser: ArgumentParser) -> None:
    """The options that name cells."""
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--clusters", nargs="+", type=at_least(2), default=[2, 10, 50], metavar="K")
    parser.add_argument(
        "--hidden", nargs="+", type=hidden_sizes, default=[(512, 512)], metavar="N,N"
    )
    parser.add_argument("--batch", type=at_least(1), default=256)
    parser.add_argument("--inputs", type=at_least(1), default=784, help="features of a row")
    parser.add_argument("--latent", type=at_least(1), default=10)
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "bfloat16"],
        help="of the networks; stock Pyro has no other than float32",
    )
    parser.add_argument(
        "--chunk-size", type=at_least(1), help="clusters that our exact method sums at a time"
    )
    parser.add_argument(
        "--drawn-share",
        type=float,
        default=Cell.drawn_share,
        help="of the sparse method; a quarter is that of trainings with a regulariser",
    )


def cells_of(arguments: Namespace) -> list[Cell]:
    """The cells that the arguments name, by hidden sizes, method and K."""
    return [
        Cell(
            method,
            clusters,
            hidden,
            arguments.batch,
            arguments.latent,
            arguments.device,
            arguments.seed,
            arguments.precision,
            arguments.chunk_size if method == "exact" else None,
            arguments.inputs,
            arguments.drawn_share,
        )
        for hidden in arguments.hidden
        for method in arguments.methods
        for clusters in arguments.clusters
    ]
