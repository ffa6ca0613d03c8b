"""Small models and data, and the statistics that tests of expectations share."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import normal

from pyro_gmvae.models import GMVAE, METHODS
from pyro_gmvae.networks import ConvSizes

D, K, Z, B = 6, 3, 2, 4

# Options of a convolutional `small_gmvae`, of images that no patch tiles.
CONV = {"input_dim": (1, 5, 6), "network": "conv", "conv": ConvSizes((8, 8), features=6)}


def small_gmvae(method: str, n_components: int = K, **options: Any) -> GMVAE:
    """A GMVAE of tiny networks with uneven clusters, so that no term vanishes by symmetry.

    The sparse method decodes the drawn cluster of a quarter of a batch: what can go wrong is there.
    """
    if method == "sparse":
        options.setdefault("drawn_share", 0.25)
    gmvae = METHODS[method](
        options.pop("input_dim", D),
        n_components,
        options.pop("latent_dim", Z),
        hidden=options.pop("hidden", (5,)),
        **options,
    )
    with torch.no_grad():
        gmvae.model.component_raw_scale.add_(torch.randn_like(gmvae.model.component_raw_scale))
        if method != "marginal":
            gmvae.guide.y_head.bias.add_(torch.randn(n_components))
        if options.get("learn_mixture"):
            gmvae.model.mixture_logits.add_(torch.randn(n_components))
    return gmvae


def binary_data(n: int = B, *event_shape: int) -> Tensor:
    return (torch.rand(n, *(event_shape or (D,))) < 0.5).float()


def fix_noise(monkeypatch: pytest.MonkeyPatch, noise: Tensor) -> None:
    """Let every Normal draw be ``loc + scale * noise``, the noise expanded to its shape."""

    def standard_normal(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
        return noise.to(device, dtype).expand(shape)

    monkeypatch.setattr(normal, "_standard_normal", standard_normal)


def flat_gradients(loss: Tensor, gmvae: GMVAE) -> Tensor:
    parameters = list(gmvae.parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return torch.cat(
        [
            torch.zeros(p.numel()).to(p) if g is None else g.flatten()
            for p, g in zip(parameters, gradients, strict=True)
        ]
    )


def z_scores(draws: Tensor, truth: Tensor) -> Tensor:
    """Of the mean over dim 0 against a known truth or another sample's draws (same dim 0)."""
    n = draws.shape[0]
    variance = draws.var(0) / n
    if truth.dim() == draws.dim():
        variance = variance + truth.var(0) / truth.shape[0]
        truth = truth.mean(0)
    difference = draws.mean(0) - truth
    random = variance > 1e-20
    # What does not vary has to agree to rounding.
    torch.testing.assert_close(
        difference[~random], torch.zeros_like(difference[~random]), atol=1e-6, rtol=0
    )
    return difference[random] / variance[random].sqrt()


def rms(z: Tensor) -> float:
    return z.square().mean().sqrt().item()
