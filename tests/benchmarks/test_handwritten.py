"""The hand-written objectives are ours: one seed gives one loss and one gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.measuring.handwritten import handwritten
from pyro_gmvae.inference import TraceEnumMeanField_ELBO, autocast_networks
from pyro_gmvae.models import METHODS
from tests.helpers.small import binary_data, flat_gradients, small_gmvae

pytestmark = pytest.mark.usefixtures("local_params", "no_validation")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("exact", {}),
    ("concrete", {}),
    ("sparse", {}),
    ("sparse", {"n_likeliest": 2}),
    ("sparse", {"drawn_share": 1.0}),
    ("marginal", {}),
]


@pytest.mark.parametrize(("method", "options"), CASES)
@pytest.mark.parametrize("weights", [{}, {"kl_weight": 0.3, "z_kl_weight": 0.6}])
def test_equals_ours(method: str, options: dict[str, Any], weights: dict[str, float]) -> None:
    gmvae = small_gmvae(method, n_components=5, learn_mixture=True, **options).double()
    gmvae.weights.set(**weights)
    x = binary_data(16).double()
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    module = handwritten(gmvae)

    def drawn(seed: int, ours: bool) -> tuple[Tensor, Tensor]:
        torch.manual_seed(seed)
        loss = elbo.terms(gmvae.model, gmvae.guide, x).loss if ours else module(x)
        return loss.detach(), flat_gradients(loss, gmvae)

    for seed in range(3):
        loss, gradients = drawn(seed, ours=True)
        hand_loss, hand_gradients = drawn(seed, ours=False)
        torch.testing.assert_close(hand_loss, loss)
        torch.testing.assert_close(hand_gradients, gradients)
    assert drawn(0, ours=False)[0] != hand_loss  # fresh noise


@pytest.mark.parametrize("method", METHODS)
def test_networks_in_bfloat16(method: str) -> None:
    gmvae, x = small_gmvae(method), binary_data(16)
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    torch.manual_seed(1)
    full = handwritten(gmvae)(x)
    torch.manual_seed(1)
    half = handwritten(gmvae, bfloat16=True)(x)
    with autocast_networks(gmvae):
        torch.manual_seed(1)
        ours = elbo.terms(gmvae.model, gmvae.guide, x).loss
    assert half.dtype == torch.float32
    assert half != full
    torch.testing.assert_close(half, ours, rtol=1e-2, atol=0)


@pytest.mark.parametrize("method", ["exact", "marginal"])
def test_images(method: str) -> None:
    gmvae = small_gmvae(method, input_dim=(1, 3, 2), hidden=(5, 4))
    x = binary_data(4, 1, 3, 2)
    torch.manual_seed(1)
    loss = TraceEnumMeanField_ELBO(max_plate_nesting=1).terms(gmvae.model, gmvae.guide, x).loss
    torch.manual_seed(1)
    torch.testing.assert_close(handwritten(gmvae)(x), loss)
