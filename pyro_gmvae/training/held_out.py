"""Evaluate the held-out ELBO at full weights and at the same noise every time."""

from __future__ import annotations

import torch
from torch import nn

from pyro_gmvae.data import BatchSource
from pyro_gmvae.data.batches import ALL
from pyro_gmvae.models import ObjectiveWeights
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training.annealing import put_back
from pyro_gmvae.training.processes import summed

__all__ = ["HeldOut"]


class HeldOut:
    """Evaluate the ELBO on held-out data at full weights, ``w_t = b_t = 1``.

    The draws are the same at every call and leave the training's generators as they were. The
    weights of the objective are restored. So a training is the same however often it is evaluated.

    Args:
        batches: the held-out data, in order.
        device: the device of the objective.

    >>> from pyro_gmvae.data import ResidentBatches
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> from pyro_gmvae.training.loop import elbo_objective
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> batches = ResidentBatches(torch.zeros(20, 2), 10, shuffle=False)
    >>> held_out = HeldOut(batches, torch.device("cpu"))
    >>> objective = elbo_objective(gmvae, TrainConfig())
    >>> first = held_out.elbo(objective, gmvae.weights)
    >>> held_out.elbo(objective, gmvae.weights) == first  # the same draws
    True
    """

    def __init__(self, batches: BatchSource, device: torch.device) -> None:
        self.batches = batches
        self.device = device

    @torch.no_grad()
    def elbo(self, objective: nn.Module, weights: ObjectiveWeights, share: slice = ALL) -> float:
        """Return the mean ELBO per datum, in nats, the same in every process.

        Args:
            objective: minus the ELBO of a batch.
            weights: the weights of the objective.
            share: the rows of each batch that this process takes.
        """
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        with put_back(weights), forked_rng(self.device, seed=0):
            weights.set(kl_weight=1.0, z_kl_weight=1.0)
            for x, labels, *covariates in self.batches.epoch(share=share):
                if len(x):
                    total -= objective(x, labels, *covariates).loss
        return summed(total).item() / self.batches.n_rows
