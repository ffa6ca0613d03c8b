"""The drawn cluster meets x for its subset alone, and the ELBO is what it was."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from pyro_gmvae.inference import TraceEnumMeanField_ELBO, elbo
from pyro_gmvae.models import GMVAE, SparseGMVAE
from tests.helpers.small import CONV, binary_data, flat_gradients, small_gmvae

N = 12


def rows_given(gmvae: GMVAE, x: Tensor, **options: Any) -> tuple[list[int], Tensor, Tensor]:
    """How many rows the z head and the decoder were given, the loss, and its gradient."""
    seen: list[int] = []
    hooks = [
        gmvae.guide.z_head.register_forward_hook(
            lambda module, args, output: seen.append(output[0].shape[:-1].numel())
        ),
        gmvae.model.decoder.register_forward_pre_hook(
            lambda module, args: seen.append(args[0].shape[:-1].numel())
        ),
    ]
    torch.manual_seed(5)
    loss = TraceEnumMeanField_ELBO(max_plate_nesting=1, **options).differentiable_loss(
        gmvae.model, gmvae.guide, x
    )
    for hook in hooks:
        hook.remove()
    return seen, loss.detach(), flat_gradients(loss, gmvae)


@pytest.mark.parametrize("model_options", [{}, CONV], ids=["mlp", "conv"])
@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("particles", [1, 3])
def test_networks_get_what_counts_and_nothing_else(
    m: int, particles: int, model_options: dict[str, Any]
) -> None:
    gmvae = small_gmvae("sparse", n_components=4, n_likeliest=m, **model_options).double().train()
    x = binary_data(N, *gmvae.event_shape).double()
    options = {"num_particles": particles, "vectorize_particles": True}
    n_rows, loss, gradient = rows_given(gmvae, x, **options)
    assert n_rows == [particles * (m * N + N // 4)] * 2
    with mock.patch.object(elbo, "SkipUnscored", nullcontext):
        n_all, same_loss, same_gradient = rows_given(gmvae, x, **options)
    assert n_all == [particles * (m + 1) * N] * 2
    torch.testing.assert_close(loss, same_loss)
    torch.testing.assert_close(gradient, same_gradient)


def test_in_evaluation_all_counts() -> None:
    gmvae, x = small_gmvae("sparse").eval(), binary_data(N)
    assert rows_given(gmvae, x)[0] == [2 * N] * 2


def test_the_other_methods_are_left_alone() -> None:
    gmvae, x = small_gmvae("exact").train(), binary_data(N)
    assert rows_given(gmvae, x)[0] == [gmvae.n_components * N] * 2


def test_all_of_a_batch_that_is_too_small_to_part() -> None:
    gmvae = SparseGMVAE(4, 3, 2, hidden=(5,), drawn_share=0.25).train()
    assert rows_given(gmvae, binary_data(1, 4))[0] == [2, 2]
