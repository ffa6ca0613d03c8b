"""Define what every peer is given and what it returns.

Little is imported here, because this module is in every measured process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LIKELIHOOD_IMAGES", "SAMPLES", "Compile", "Task", "Trained", "binary", "thinned"]

Compile = Literal["auto", "on", "off"]

LIKELIHOOD_IMAGES = 500  # test images that log-likelihoods are averaged over
SAMPLES = 100  # importance samples for each of them


@dataclass(frozen=True)
class Task:
    """Describe one training.

    Attributes:
        peer: a name of `registry.PEERS`.
        data: an .npz file of ``train`` and ``test``, uint8 rows of pixels.
        clusters: K, the number of clusters.
        latent: Z, the size of the latent space.
        hidden: sizes of the hidden layers of encoder and decoder, ReLU between them.
        batch: rows in a batch.
        epochs: passes over the training images.
        pretrain_epochs: further passes of a peer that pretrains.
        learning_rate: Adam's, where the peer's package recommends none.
        seed: seed of everything that is drawn.
        device: ``"cpu"`` or ``"cuda"``.
        folder: a folder that the peer may write to.
        compile: whether a step of this package's methods is compiled; ``"auto"`` leaves it to the
            library.
    """

    peer: str
    data: str
    clusters: int
    latent: int
    hidden: tuple[int, ...]
    batch: int
    epochs: int
    pretrain_epochs: int
    learning_rate: float
    seed: int
    device: Literal["cpu", "cuda"]
    folder: str
    compile: Compile = "auto"


@dataclass(frozen=True)
class Trained:
    """Hold the outcome of a training; its functions are called after time and memory are read.

    Attributes:
        epoch_seconds: each epoch's time; empty for a peer that has no epochs.
        parameters: how many numbers were trained.
        clusters: maps images to their clusters, if the peer has clusters.
        log_likelihood: maps images to nats per image, if the peer has such a figure.
        quantity: a definition of that figure.
        extra: further figures by name, such as the seconds of other phases.
    """

    epoch_seconds: list[float]
    parameters: int
    clusters: Callable[[np.ndarray], np.ndarray] | None = None
    log_likelihood: Callable[[np.ndarray], float] | None = None
    quantity: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def binary(images: np.ndarray) -> np.ndarray:
    """Binarise images for the peers with a Bernoulli likelihood: float32, 1 from grey 128 on."""
    return (images >= 128).astype("float32")


def thinned(images: np.ndarray) -> np.ndarray:
    """Take at most `LIKELIHOOD_IMAGES` images, evenly spaced: MNIST's test halves differ."""
    n = min(len(images), LIKELIHOOD_IMAGES)
    return images[[i * len(images) // n for i in range(n)]]
