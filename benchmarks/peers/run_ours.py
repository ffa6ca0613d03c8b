"""Train this package's methods by `pyro_gmvae.training.fit` with its defaults, without patience.

By default q(y|x) and q(z|x,y) have an encoder each, half as much network again as the peers have.
The rows named ``-same`` have the peers' network: one encoder, whose last hidden layer also takes
the cluster; q(y|x) is computed from the layers before. Images stay uint8 and are binarised batch by
batch; gradients are clipped. On a CPU so short a training is not compiled, as one of 5,000 steps
would be, unless ``--compile yes`` asks for it. Compilation falls into the first epoch, which no
median includes. The weight of KL(q(y|x) || p(y)) rises over the first half of the epochs. An
epoch's time is the one in its record, which includes the count of clusters in use.
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.measuring.resolved_config import resolved
from benchmarks.peers.task import SAMPLES, Task, Trained
from pyro_gmvae.data import ImageEncoding
from pyro_gmvae.evaluation import log_likelihood
from pyro_gmvae.inference import KLAnnealing
from pyro_gmvae.models import METHODS
from pyro_gmvae.networks import MLPEncoder
from pyro_gmvae.training import TrainConfig, fit

QUANTITY = f"log p(x) of the binary image, importance-sampled, {SAMPLES} samples"


def train(task: Task, images: np.ndarray) -> Trained:
    method, _, same = task.peer.partition("-")
    torch.manual_seed(task.seed)
    n_pixels = images.shape[1]
    encoder = MLPEncoder((n_pixels,), task.hidden[:-1]) if same else None
    gmvae = METHODS[method](
        n_pixels, task.clusters, task.latent, hidden=task.hidden, encoder=encoder
    )
    transform = ImageEncoding((n_pixels,), "static").to(task.device)
    config = TrainConfig(
        epochs=task.epochs,
        batch_size=task.batch,
        learning_rate=task.learning_rate,
        kl_annealing=KLAnnealing(duration=task.epochs / 2),
        patience=None,
        keep_best=False,
        seed=task.seed,
        device=task.device,
    )
    x = torch.from_numpy(images)
    config = resolved(config, gmvae, x, transform=transform, compile=task.compile)
    result = fit(gmvae, x, config, transform=transform)

    def on_device(test: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(test).to(task.device)

    def clusters(test: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return gmvae.responsibilities(transform(on_device(test))).argmax(-1).cpu().numpy()

    def likelihood(test: np.ndarray) -> float:
        found = log_likelihood(
            gmvae, on_device(test), num_samples=SAMPLES, transform=transform, diagnostics=False
        )
        return found.mean

    return Trained(
        epoch_seconds=[float(record["seconds"]) for record in result.history],
        parameters=sum(p.numel() for p in gmvae.parameters()),
        clusters=clusters,
        log_likelihood=likelihood,
        quantity=QUANTITY,
    )
