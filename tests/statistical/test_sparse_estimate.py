"""The sparse estimate of an expectation is unbiased, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pyro_gmvae.distributions import SparseOneHotCategorical
from tests.helpers.small import rms, z_scores

N_DRAWS, MAX_Z = 20_000, 4.5


def draws(logits: Tensor, f: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """N estimates of E_q f and of its gradient in the logits and in f."""
    leaf = logits.expand(N_DRAWS, -1).clone().requires_grad_()
    values = f.expand(N_DRAWS, -1).clone().requires_grad_()
    q = SparseOneHotCategorical(logits=leaf, n_likeliest=m)
    support = q.enumerate_support()
    estimate = q.expected_value(support, (support * values).sum(-1))
    gradients = torch.autograd.grad(estimate.sum(), (leaf, values))
    return estimate.detach(), torch.cat(gradients, -1)


@pytest.mark.parametrize(("n_components", "m"), [(2, 1), (3, 1), (6, 1), (6, 3), (6, 5)])
def test_unbiased(n_components: int, m: int) -> None:
    logits = torch.randn(n_components, dtype=torch.float64, requires_grad=True)
    f = (3 * torch.randn(n_components, dtype=torch.float64) - 20).requires_grad_()
    exact = logits.softmax(-1) @ f
    gradient = torch.cat(torch.autograd.grad(exact, (logits, f)))
    estimate, gradients = draws(logits.detach(), f.detach(), m)
    z = torch.cat(
        [
            z_scores(estimate.unsqueeze(-1), exact.detach().unsqueeze(-1)),
            z_scores(gradients, gradient),
        ]
    )
    # With one cluster left nothing is random, and z_scores has compared the figures.
    assert (z.numel() == 0) == (m == n_components - 1)
    if z.numel():
        assert z.abs().max() < MAX_Z
        assert rms(z) < 2


def test_more_clusters_summed_is_less_noise() -> None:
    logits, f = torch.randn(8).double(), torch.randn(8).double()
    spread = [draws(logits, f, m)[1].std(0).norm() for m in (1, 3, 5)]
    assert spread[0] > spread[1] > spread[2]


@pytest.mark.parametrize("drawn_share", [0.2, 0.4])
def test_unbiased_where_the_drawn_one_counts_for_some_data_only(drawn_share: float) -> None:
    n_data, n_components = 5, 4
    # From fairly sure to quite unsure.
    logits = torch.linspace(2, 0.3, n_data).unsqueeze(-1) * torch.randn(n_data, n_components)
    logits = logits.double().requires_grad_()
    f = (3 * torch.randn(n_data, n_components).double() - 20).requires_grad_()
    exact = (logits.softmax(-1) * f).sum(-1)
    truth = torch.cat([exact.detach(), *(g.flatten() for g in gradients(exact, logits, f))])
    estimates = []
    for _ in range(2_000):
        q = SparseOneHotCategorical(logits=logits, drawn_share=drawn_share)
        support = q.enumerate_support()
        estimate = q.expected_value(support, (support * f).sum(-1))
        parts = (g.flatten() for g in gradients(estimate, logits, f))
        estimates.append(torch.cat([estimate.detach(), *parts]))
        assert q.subset is not None and len(q.subset.rows) == round(drawn_share * n_data)
    z = z_scores(torch.stack(estimates), truth)
    assert z.numel() > 20
    assert z.abs().max() < MAX_Z
    assert rms(z) < 2


def gradients(values: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(values.sum(), leaves, retain_graph=True)
