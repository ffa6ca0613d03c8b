"""Train ClustPy's VaDE by its `fit`, with a timed loader.

In VaDE p(z) is the mixture, and q(y|x) is computed from z. VaDE first pretrains its network as a
plain autoencoder (here for as many epochs as it clusters; ClustPy's defaults are 100 and 150), and
fits a Gaussian mixture to the codes, from 10 starts. ``epoch_seconds`` is of the clustering phase
that follows. At the end VaDE fits another mixture, which its `predict` uses. The learning rates are
its own: 1e-3, then 1e-4. Its default loss sums the reconstruction over the batch but averages the
rest; the loss is therefore no ELBO, and VaDE gives no log-likelihood. It reads its images one by
one through a DataLoader, and its mixture is in float64.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np
import torch
from clustpy.deep import VaDE, get_dataloader
from clustpy.deep.vade import _VaDE_VAE
from torch.utils.data import DataLoader

from benchmarks.peers.task import Task, Trained, binary


class TimedLoader(DataLoader):
    """Note when the step after an epoch's last batch has been made.

    Attributes:
        epochs: begin and end of every complete pass, in seconds.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.epochs: list[tuple[float, float]] = []

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        start = time.perf_counter()
        yield from super().__iter__()
        self.epochs.append((start, time.perf_counter()))


def typical(epochs: list[tuple[float, float]]) -> float | None:
    """Return the median epoch without the first one."""
    seconds = [end - start for start, end in epochs]
    return median(seconds[1:] or seconds) if seconds else None


def train(task: Task, images: np.ndarray) -> Trained:
    x = binary(images)
    in_order = get_dataloader(x, task.batch, shuffle=False)
    shuffled = TimedLoader(in_order.dataset, batch_size=task.batch, shuffle=True)
    layers = [x.shape[1], *task.hidden, task.latent]
    vade = VaDE(
        n_clusters=task.clusters,
        batch_size=task.batch,
        pretrain_epochs=task.pretrain_epochs,
        clustering_epochs=task.epochs,
        # The kind of VAE that VaDE makes by default, with the layers and the ReLU of this task.
        neural_network=(_VaDE_VAE, {"layers": layers, "activation_fn": torch.nn.ReLU}),
        embedding_size=task.latent,
        custom_dataloaders=(shuffled, in_order),
        device=task.device,
        random_state=task.seed,
    )
    start = time.perf_counter()
    vade.fit(x)
    end = time.perf_counter()

    pretraining = shuffled.epochs[: task.pretrain_epochs]
    clustering = shuffled.epochs[task.pretrain_epochs :]
    pretrained = pretraining[-1][1] if pretraining else start
    network = vade.neural_network_trained_
    n_mixture = task.clusters * (1 + 2 * task.latent)
    return Trained(
        epoch_seconds=[b - a for a, b in clustering],
        parameters=sum(p.numel() for p in network.parameters()) + n_mixture,
        clusters=lambda test: vade.predict(binary(test)),
        extra={
            "pretraining_seconds_per_epoch": typical(pretraining),
            "first_mixture_seconds": clustering[0][0] - pretrained,
            "last_mixture_seconds": end - clustering[-1][1],
        },
    )
