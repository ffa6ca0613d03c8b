"""List the cells of the paper's experiment: each training with its data and its sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import log
from typing import Any, Literal

from pyro_gmvae.models import METHODS

__all__ = ["PRESETS", "Cell", "Study", "cells_of"]


@dataclass(frozen=True)
class Study:
    """Describe a data set and its training, which is the same for every method.

    Attributes:
        data: a built-in name of `pyro_gmvae.data.load`.
        clusters: the K at which every seed is trained to its early stop and evaluated.
        timed_clusters: further K at which an epoch is only timed.
        exact_up_to: the largest of ``clusters`` that the exact method is trained at; at larger
            ones it is timed.
        train_rows: training images, at most; a tenth as many others are validation images.
        test_rows: test images, at most.
        network: the kind of network of the model.
        hidden: sizes of the hidden layers.
        channels: channels of the convolutions; None for a model without them.
        latent_dim: Z, the size of the latent space.
        likelihood: name of the pixels' likelihood.
        batch_size: images in a batch.
        epochs: passes over the training images, at most.
        patience: epochs without a better held-out ELBO before the training stops.
        annealing_epochs: epochs in which w_t rises from 0 to 1.
        learning_rate: Adam's, falling to zero along a cosine over ``epochs``.
        samples: numbers of importance samples, each of which gives an estimate.
        margin: the loss of log p(x) against the exact method that would matter, in nats.
    """

    data: str
    clusters: tuple[int, ...]
    timed_clusters: tuple[int, ...] = ()
    exact_up_to: int = 10
    train_rows: int | None = None
    test_rows: int | None = None
    network: Literal["mlp", "conv"] = "mlp"
    hidden: tuple[int, ...] = (512, 512)
    channels: tuple[int, ...] | None = None
    latent_dim: int = 50
    likelihood: str = "bernoulli"
    batch_size: int = 128
    epochs: int = 100
    patience: int = 10
    annealing_epochs: float = 10.0
    learning_rate: float = 1e-3
    samples: tuple[int, ...] = (500, 5000)
    margin: float = 1.0


@dataclass(frozen=True)
class Cell:
    """Describe one training of a study.

    Attributes:
        study: the data and the sizes.
        method: the inference method.
        clusters: K, the number of clusters.
        seed: seed of the first weights, of the order of the images and of every draw; all cells
            share one split.
        timed: whether an epoch is only timed.
    """

    study: Study
    method: str
    clusters: int
    seed: int
    timed: bool = False

    @property
    def name(self) -> str:
        """Name the cell's file, differently for each cell of a preset."""
        kind = "-timed" if self.timed else ""
        return f"{self.study.data}-K{self.clusters}-{self.method}-seed{self.seed}{kind}"

    def to_dict(self) -> dict[str, Any]:
        """Return all that decides the cell's result, as plain JSON."""
        own = {name: value for name, value in asdict(self).items() if name != "study"}
        sizes = {n: list(v) if isinstance(v, tuple) else v for n, v in asdict(self.study).items()}
        # The study's other cells do not change this one, and a timed cell ends before evaluation.
        others = ["clusters", "timed_clusters", "exact_up_to", "margin"]
        for name in [*others, *(["test_rows", "patience", "samples"] if self.timed else [])]:
            del sizes[name]
        return own | {"study": sizes}


CIFAR_MARGIN = 0.02 * 3 * 32 * 32 * log(2)  # 0.02 bits per dimension

SMALL = Study(
    "mnist",
    clusters=(3,),
    timed_clusters=(4,),
    exact_up_to=3,
    train_rows=80,
    test_rows=12,
    hidden=(8, 8),
    latent_dim=2,
    batch_size=40,
    epochs=2,
    annealing_epochs=1.0,
    samples=(20, 30),
)
CPU = (
    Study(
        "mnist",
        clusters=(10,),
        timed_clusters=(2, 20, 50, 100, 200),
        train_rows=6_000,
        test_rows=300,
        hidden=(256, 256),
        latent_dim=20,
        batch_size=100,
        epochs=30,
        patience=8,
        annealing_epochs=8.0,
    ),
    Study(
        "cifar100",
        clusters=(20,),
        timed_clusters=(2, 50),
        exact_up_to=20,
        train_rows=1_500,
        test_rows=200,
        network="conv",
        hidden=(128,),
        channels=(8, 16, 32),
        latent_dim=32,
        likelihood="discretized_logistic",
        batch_size=50,
        epochs=6,
        patience=4,
        annealing_epochs=2.0,
        learning_rate=2e-3,
        samples=(50, 200),
        margin=CIFAR_MARGIN,
    ),
)
FULL = (
    Study(
        "mnist",
        clusters=(10,),
        timed_clusters=(2, 20, 50, 100, 200),
        test_rows=1_000,
        hidden=(256, 256),
        latent_dim=20,
        epochs=40,
        patience=8,
    ),
    Study(
        "cifar100",
        clusters=(20,),
        timed_clusters=(2, 10, 50, 100, 200),
        exact_up_to=20,
        test_rows=1_000,
        hidden=(128, 128),
        latent_dim=32,
        likelihood="discretized_logistic",
        epochs=20,
        patience=5,
        annealing_epochs=5.0,
        samples=(100, 1000),
        margin=CIFAR_MARGIN,
    ),
)
GPU = (
    Study("mnist", clusters=(10, 20, 50, 100), exact_up_to=100),
    Study(
        "cifar100",
        clusters=(10, 20, 50, 100),
        timed_clusters=(200, 500, 1000),
        exact_up_to=100,
        network="conv",
        hidden=(256,),
        channels=(64, 128, 256),
        latent_dim=128,
        likelihood="discretized_logistic_mixture",
        samples=(500, 5000),
        margin=CIFAR_MARGIN,
    ),
)
PRESETS: dict[str, tuple[Study, ...]] = {"small": (SMALL,), "cpu": CPU, "full": FULL, "gpu": GPU}


def cells_of(
    studies: Sequence[Study], *, methods: Sequence[str] = tuple(METHODS), seeds: Sequence[int]
) -> list[Cell]:
    """Return the cells of some studies, those of each study that are only timed first."""
    cells = []
    for study in studies:
        trained = [
            Cell(study, method, k, seed)
            for k in study.clusters
            for method in methods
            for seed in seeds
            if method != "exact" or k <= study.exact_up_to
        ]
        timed = [
            Cell(study, method, k, seeds[0], timed=True)
            for k in sorted({*study.clusters, *study.timed_clusters})
            for method in methods
        ]
        cells += [*timed, *trained]
    return cells


def narrowed(study: Study, clusters: Sequence[int]) -> Study:
    """Restrict a study to these K; those that it does not train are timed."""
    return replace(
        study,
        clusters=tuple(k for k in study.clusters if k in clusters),
        timed_clusters=tuple(k for k in clusters if k not in study.clusters),
    )
