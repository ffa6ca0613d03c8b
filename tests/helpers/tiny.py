"""Data and models small enough to train in a blink, and what looks on while they train."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pyro_gmvae.models import GMVAE, METHODS
from pyro_gmvae.training import Record, Reporter, TrainConfig

N_CLUSTERS = 3


def blobs(
    n: int = 60, seed: int = 0, dtype: torch.dtype = torch.float32, width: float = 0.3
) -> tuple[Tensor, Tensor]:
    """Three blobs in four dimensions, and which blob each point is of."""
    generator = torch.Generator().manual_seed(seed)
    centres = 2 * torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, -1], [-1, 0, 1, 0]])
    labels = torch.arange(n) % N_CLUSTERS
    x = centres[labels] + width * torch.randn(n, 4, generator=generator)
    return x.to(dtype), labels


def grey(n: int = 50) -> Tensor:
    """Raw grey levels, for a dynamic binarisation."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 4), generator=generator).to(torch.uint8)


def tiny(method: str = "exact", seed: int = 0, **options: Any) -> GMVAE:
    """A GMVAE for `blobs`; its initial weights depend on ``seed`` alone."""
    options = {"hidden": (8,), "likelihood": "gaussian"} | options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return METHODS[method](4, N_CLUSTERS, 2, **options)


def quick(**settings: Any) -> TrainConfig:
    """Settings under which `tiny` models learn `blobs` in a few steps."""
    defaults = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-2}
    # By name, for bits are compared.
    defaults |= {"device": "cpu", "precision": "float32"}
    return TrainConfig(**(defaults | settings))


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same_weights(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def without_seconds(history: list[Record]) -> list[Record]:
    """What does not depend on the clock."""
    return [{n: v for n, v in record.items() if n != "seconds"} for record in history]


class Spy(Reporter):
    """Sees the model after every step, as it was during that step."""

    def __init__(self, gmvae: GMVAE) -> None:
        self.gmvae = gmvae
        self.steps: list[int] = []
        self.annealed: list[tuple[float, float, float]] = []
        self.weights = weights_of(gmvae)
        self.records: list[Record] = []
        self.closed = 0

    def step(self, step: int) -> None:
        w = self.gmvae.weights
        self.steps.append(step)
        self.annealed.append((float(w.kl_weight), float(w.z_kl_weight), float(w.temperature)))
        self.weights = weights_of(self.gmvae)

    def epoch(self, record: Record) -> None:
        self.records.append(record)

    def close(self) -> None:
        self.closed += 1
