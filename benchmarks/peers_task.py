"""What every peer is given and what it gives back. Imports little: it is in every process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LIKELIHOOD_IMAGES", "SAMPLES", "Task", "Trained", "binary", "thinned"]

LIKELIHOOD_IMAGES = 500  # test images that log-likelihoods are averaged over
SAMPLES = 100  # for each of them, where it is sampled


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        peer: its name in `peers_known.PEERS`.
        data: an .npz file of ``train`` and ``test``, uint8 rows of pixels.
        clusters: K.
        latent: Z.
        hidden: sizes of the hidden layers of encoder and decoder, ReLU between them.
        batch: rows in a batch.
        epochs: passes over the training images.
        pretrain_epochs: of a peer that has such a phase, beside ``epochs``.
        learning_rate: of Adam, where the peer has no advice of its own.
        seed: of everything.
        device: ``"cpu"`` or ``"cuda"``.
        folder: where the peer may write.
        compile: of ours, as `TrainConfig` takes it.
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
    device: str
    folder: str
    compile: Literal["auto"] | bool = "auto"


@dataclass(frozen=True)
class Trained:
    """What a training left; the evaluations are run once time and memory have been read.

    Attributes:
        epoch_seconds: each epoch's time; empty for a peer that has no epochs.
        parameters: how many numbers were trained.
        clusters: the cluster of each test image, if the peer has clusters.
        log_likelihood: nats per test image, if the peer has such a figure.
        quantity: what exactly the figure is.
        extra: further figures by name, such as the seconds of other phases.
    """

    epoch_seconds: list[float]
    parameters: int
    clusters: Callable[[np.ndarray], np.ndarray] | None = None
    log_likelihood: Callable[[np.ndarray], float] | None = None
    quantity: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def binary(images: np.ndarray) -> np.ndarray:
    """The images as all peers with a Bernoulli likelihood see them: float32, 1 from grey 128 on."""
    return (images >= 128).astype("float32")


def thinned(images: np.ndarray) -> np.ndarray:
    """At most `LIKELIHOOD_IMAGES` of them, evenly spaced: the halves of MNIST's test set differ."""
    n = min(len(images), LIKELIHOOD_IMAGES)
    return images[[i * len(images) // n for i in range(n)]]
