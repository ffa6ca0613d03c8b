"""Train pythae's VAE, with a standard normal prior and no clusters, by its `TrainingPipeline`.

pythae's own MLP has one hidden layer, so encoder and decoder are passed in, as its documentation
recommends. An epoch is the time between its callbacks, the copy of the best model included. pythae
reads its images one by one through a DataLoader.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

from benchmarks.peers.task import SAMPLES, Task, Trained, binary


def mlp(sizes: list[int]) -> nn.Sequential:
    """Make linear layers between ``sizes``, with a ReLU after each one."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers)


class Encoder(BaseEncoder):
    """Encode pixels as mean and log-variance of q(z|x)."""

    def __init__(self, n_pixels: int, task: Task) -> None:
        super().__init__()
        self.layers = mlp([n_pixels, *task.hidden])
        self.embedding = nn.Linear(task.hidden[-1], task.latent)
        self.log_var = nn.Linear(task.hidden[-1], task.latent)

    def forward(self, x: Tensor) -> ModelOutput:
        features = self.layers(x)
        return ModelOutput(
            embedding=self.embedding(features), log_covariance=self.log_var(features)
        )


class Decoder(BaseDecoder):
    """Decode z to the pixels' probabilities."""

    def __init__(self, n_pixels: int, task: Task) -> None:
        super().__init__()
        self.layers = mlp([task.latent, *reversed(task.hidden)])
        self.output = nn.Linear(task.hidden[0], n_pixels)

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.output(self.layers(z)).sigmoid())


class Stopwatch(TrainingCallback):
    """Time epochs."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.start = 0.0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def train(task: Task, images: np.ndarray) -> Trained:
    torch.manual_seed(task.seed)
    x = binary(images)
    n_pixels = x.shape[1]
    config = VAEConfig(input_dim=(n_pixels,), latent_dim=task.latent, reconstruction_loss="bce")
    vae = VAE(config, encoder=Encoder(n_pixels, task), decoder=Decoder(n_pixels, task))
    training = BaseTrainerConfig(
        output_dir=task.folder,
        num_epochs=task.epochs,
        per_device_train_batch_size=task.batch,
        learning_rate=task.learning_rate,
        seed=task.seed,
        no_cuda=task.device == "cpu",
    )
    watch = Stopwatch()
    TrainingPipeline(model=vae, training_config=training)(x, callbacks=[watch])

    def likelihood(test: np.ndarray) -> float:
        # get_nll returns a mean of log p, despite its name. It is right for the Bernoulli
        # likelihood and for whole batches of samples.
        with torch.no_grad():
            data = torch.from_numpy(binary(test)).to(task.device)
            return float(vae.get_nll(data, n_samples=SAMPLES, batch_size=SAMPLES))

    return Trained(
        epoch_seconds=watch.seconds,
        parameters=sum(p.numel() for p in vae.parameters()),
        log_likelihood=likelihood,
        quantity=f"log p(x) of the binary image, importance-sampled, {SAMPLES} samples",
    )
