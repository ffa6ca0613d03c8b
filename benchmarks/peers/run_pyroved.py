"""Train pyroved's jiVAE by its `SVItrainer`.

In jiVAE z and y are independent a priori and in q(z|x) q(y|x); y is enumerated. One encoder gives
both posteriors; the decoder takes z and y together, K times for each datum. As pyroved's
documentation recommends, ``enumerate_parallel=True``; both KL terms have weight 1, and Pyro's
validation stays on. The layers have ReLU in place of tanh.
"""

from __future__ import annotations

import time

import numpy as np
import pyroved
import torch
from pyroved.utils import init_dataloader

from benchmarks.peers.task import Task, Trained, binary


def train(task: Task, images: np.ndarray) -> Trained:
    x = torch.from_numpy(binary(images))
    loader = init_dataloader(x, batch_size=task.batch)
    vae = pyroved.models.jiVAE(
        (x.shape[1],),
        latent_dim=task.latent,
        discrete_dim=task.clusters,
        hidden_dim_e=list(task.hidden),
        hidden_dim_d=list(task.hidden),
        activation="relu",
        seed=task.seed,
        device=task.device,
    )
    trainer = pyroved.trainers.SVItrainer(
        vae, enumerate_parallel=True, seed=task.seed, lr=task.learning_rate, device=task.device
    )
    epoch_seconds = []
    for _ in range(task.epochs):
        start = time.perf_counter()
        trainer.step(loader)
        epoch_seconds.append(time.perf_counter() - start)

    def clusters(test: np.ndarray) -> np.ndarray:
        return vae.encode(torch.from_numpy(binary(test)))[2].numpy()

    def elbo(test: np.ndarray) -> float:
        # pyroved's own evaluate() takes a training step.
        x = torch.from_numpy(binary(test)).to(task.device)
        return -trainer.svi.evaluate_loss(x) / len(x)

    return Trained(
        epoch_seconds=epoch_seconds,
        parameters=sum(p.numel() for p in vae.parameters()),
        clusters=clusters,
        log_likelihood=elbo,
        quantity="ELBO of the binary image, y summed, one z: below its log p(x)",
    )
