"""Name what a measured step trains: method, number of clusters, network, batch, device."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring.options import at_least, hidden_sizes
from pyro_gmvae.models import GMVAE, METHODS

__all__ = ["StepCase", "add_case_options", "step_cases"]


@dataclass(frozen=True)
class StepCase:
    """Describe a model and a batch of binary data.

    Attributes:
        method: the inference method.
        clusters: K, the number of clusters.
        hidden: sizes of the hidden layers.
        batch: rows in the batch.
        latent: Z, the size of the latent space.
        device_type: ``"cpu"`` or ``"cuda"``.
        seed: seed of the first weights and of the batch.
        precision: precision of the networks, ``"float32"`` or ``"bfloat16"``.
        chunk_size: clusters that our exact method sums at a time; None takes all.
        inputs: features of a row.
        drawn_share: share of the batch whose drawn cluster the sparse method decodes; trainings
            with a regulariser take a quarter.
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
        """Return the fields that name this case in a result."""
        return {"method": self.method, "clusters": self.clusters, "hidden": self.hidden}

    def gmvae(self) -> GMVAE:
        """Make a fresh model."""
        torch.manual_seed(self.seed)
        options: dict[str, Any] = (
            {"drawn_share": self.drawn_share} if self.method == "sparse" else {}
        )
        gmvae = METHODS[self.method](
            self.inputs, self.clusters, self.latent, hidden=self.hidden, **options
        )
        return gmvae.to(self.device).train()

    def data(self) -> Tensor:
        """Draw the batch, shape ``(batch, inputs)``."""
        probabilities = torch.full((self.batch, self.inputs), 0.3)
        generator = torch.Generator().manual_seed(self.seed)
        return torch.bernoulli(probabilities, generator=generator).to(self.device)


def add_case_options(parser: ArgumentParser) -> None:
    """Add the options that name cases."""
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
        help="precision of the networks; stock Pyro has float32 only",
    )
    parser.add_argument(
        "--chunk-size", type=at_least(1), help="clusters that our exact method sums at a time"
    )
    parser.add_argument(
        "--drawn-share",
        type=float,
        default=StepCase.drawn_share,
        help="share of the batch whose drawn cluster the sparse method decodes; trainings with a "
        "regulariser take a quarter",
    )


def step_cases(arguments: Namespace) -> list[StepCase]:
    """Return the cases that the arguments name, ordered by hidden sizes, method and K."""
    return [
        StepCase(
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
