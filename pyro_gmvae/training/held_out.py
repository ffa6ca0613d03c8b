"""The held-out ELBO, at full weights and at the same noise every time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pyro_gmvae.data import Batches
from pyro_gmvae.models import ObjectiveWeights
from pyro_gmvae.rng import forked_rng

__all__ = ["HeldOut"]


class HeldOut:
    """Held-out data and the ELBO on them, ``w_t = b_t = 1``.

    Its draws are the same at every call and leave the training's generators as they were, and it
    puts the weights back, so that evaluating more or less often does not change a training.
    """

    def __init__(
        self,
        x: Tensor,
        covariates: tuple[Tensor, ...],
        batch_size: int,
        transform: Callable[[Tensor], Tensor] | None,
    ) -> None:
        self.batches = Batches(
            x, batch_size, covariates=covariates, transform=transform, shuffle=False
        )

    @torch.no_grad()
    def elbo(self, objective: nn.Module, weights: ObjectiveWeights) -> float:
        """The mean ELBO per datum, in nats."""
        device = self.batches.x.device
        before = [(w, w.clone()) for w in (weights.kl_weight, weights.z_kl_weight)]
        weights.set(kl_weight=1.0, z_kl_weight=1.0)
        total = torch.zeros((), device=device, dtype=torch.float64)
        with forked_rng(device, seed=0):
            for x, y, *covariates in self.batches:
                total -= objective(x, y, *covariates).loss
        for weight, value in before:
            weight.copy_(value)
        return total.item() / len(self.batches.x)
