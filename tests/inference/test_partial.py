"""The drawn cluster meets x for its subset alone, and the ELBO is what it was."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE, GenerativeModel, SparseGMVAE
from tests.small import CONV, binary_data, flat_gradients, small_gmvae

N = 12


class CountsAll(GenerativeModel):
    """The same model without the effect."""

    def forward(self, x: Tensor, y: Tensor | None = None, *covariates: Tensor) -> Tensor:
        with mock.patch("pyro_gmvae.models.generative.observation", lambda p_x, *args: p_x(*args)):
            return super().forward(x, y, *covariates)


def rows_decoded(gmvae: GMVAE, x: Tensor, **options: Any) -> tuple[int, Tensor, Tensor]:
    """How many rows the decoder was given, the loss, and its gradient."""
    seen: list[int] = []
    hook = gmvae.model.decoder.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].shape[:-1].numel())
    )
    torch.manual_seed(5)
    loss = TraceEnumMeanField_ELBO(max_plate_nesting=1, **options).differentiable_loss(
        gmvae.model, gmvae.guide, x
    )
    hook.remove()
    return sum(seen), loss.detach(), flat_gradients(loss, gmvae)


@pytest.mark.parametrize("model_options", [{}, CONV], ids=["mlp", "conv"])
@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("particles", [1, 3])
def test_decodes_what_counts_and_nothing_else(
    m: int, particles: int, model_options: dict[str, Any]
) -> None:
    gmvae = small_gmvae("sparse", n_components=4, n_likeliest=m, **model_options).double().train()
    x = binary_data(N, *gmvae.event_shape).double()
    options = {"num_particles": particles, "vectorize_particles": True}
    n_rows, loss, gradient = rows_decoded(gmvae, x, **options)
    assert n_rows == particles * (m * N + N // 4)
    gmvae.model.__class__ = CountsAll
    n_all, same_loss, same_gradient = rows_decoded(gmvae, x, **options)
    assert n_all == particles * (m + 1) * N
    torch.testing.assert_close(loss, same_loss)
    torch.testing.assert_close(gradient, same_gradient)


def test_evaluation_decodes_all() -> None:
    gmvae, x = small_gmvae("sparse").eval(), binary_data(N)
    assert rows_decoded(gmvae, x)[0] == 2 * N


def test_the_other_methods_are_left_alone() -> None:
    gmvae, x = small_gmvae("exact").train(), binary_data(N)
    assert rows_decoded(gmvae, x)[0] == gmvae.n_components * N


def test_all_of_a_batch_that_is_too_small_to_part() -> None:
    gmvae = SparseGMVAE(4, 3, 2, hidden=(5,)).train()
    assert rows_decoded(gmvae, binary_data(1, 4))[0] == 2
