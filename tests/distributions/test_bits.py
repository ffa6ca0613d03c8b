"""Independent bits against Pyro's own Bernoulli, and their gradient against differences."""

from __future__ import annotations

import pyro.distributions as dist
import pytest
import torch
from torch.func import vmap

from pyro_gmvae.distributions import IndependentBernoulli, bits_log_prob

SIZES = [1, 5, 8, 12, 784]  # groups of 1, 5, 8, 6 and 8


def logits_and_bits(n: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    logits = 4 * torch.randn(3, 6, n, dtype=dtype)
    return logits, torch.rand(6, n).bernoulli().to(dtype)


@pytest.mark.parametrize("n", SIZES)
def test_density_and_gradient_are_those_of_pyro(n: int) -> None:
    logits, x = logits_and_bits(n)
    found = []
    for family in (IndependentBernoulli, dist.Independent):
        leaf = logits.clone().requires_grad_()
        log_p = family(dist.Bernoulli(logits=leaf), 1).log_prob(x)
        found.append((log_p.detach(), *torch.autograd.grad((log_p * x.sum(-1)).sum(), leaf)))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("n", SIZES)
def test_float32_is_as_exact_as_pyro(n: int) -> None:
    logits, x = logits_and_bits(n, torch.float32)
    truth = dist.Bernoulli(logits=logits.double()).to_event(1).log_prob(x.double())
    ours = bits_log_prob(logits, x).double() - truth
    pyro = dist.Bernoulli(logits=logits).to_event(1).log_prob(x).double() - truth
    rounding = torch.finfo(torch.float32).eps * truth.abs().max()
    assert ours.abs().max() <= pyro.abs().max() + 2 * rounding


def test_second_derivatives_and_those_of_the_bits() -> None:
    logits, x = logits_and_bits(6)
    logits, x = logits[0].requires_grad_(), x.requires_grad_()
    assert torch.autograd.gradcheck(bits_log_prob, (logits, x))
    assert torch.autograd.gradgradcheck(bits_log_prob, (logits, x))
    # Both broadcast; each gets a gradient of its own shape.
    wide, narrow = logits[0].detach().requires_grad_(), x.detach().requires_grad_()
    assert torch.autograd.gradcheck(bits_log_prob, (wide, narrow))


def test_at_zero_and_far_out() -> None:
    logits = torch.tensor([0.0, 0.0, 1e4, -1e4, 1e4, -1e4], requires_grad=True)
    x = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    log_p = bits_log_prob(logits, x)
    log_p.backward()
    torch.testing.assert_close(log_p.detach(), -2 * torch.tensor(2.0).log() - 2e4)
    torch.testing.assert_close(logits.grad, torch.tensor([0.5, -0.5, 0.0, 0.0, -1.0, 1.0]))


def test_under_vmap() -> None:
    logits, x = logits_and_bits(12)
    torch.testing.assert_close(
        vmap(bits_log_prob, in_dims=(0, None))(logits, x), bits_log_prob(logits, x)
    )


def test_it_is_a_distribution_over_images() -> None:
    p = IndependentBernoulli(dist.Bernoulli(logits=torch.randn(4, 1, 3, 2)), 3).expand((5, 4))
    assert isinstance(p, IndependentBernoulli)
    assert (p.batch_shape, p.event_shape) == ((5, 4), (1, 3, 2))
    x = p.sample()
    torch.testing.assert_close(p.log_prob(x), p.base_dist.log_prob(x).sum((-3, -2, -1)))


def test_what_is_no_bit_is_refused_under_validation() -> None:
    bits = dist.Bernoulli(logits=torch.zeros(3), validate_args=True)
    with pytest.raises(ValueError, match="support"):
        IndependentBernoulli(bits, 1).log_prob(torch.full((3,), 0.5))


def test_bits_that_are_data_of_their_own() -> None:
    logits, x = logits_and_bits(4)
    ours = IndependentBernoulli(dist.Bernoulli(logits=logits), 0).log_prob(x)
    torch.testing.assert_close(ours, dist.Bernoulli(logits=logits).log_prob(x))
