"""The logarithm of the gamma function is that of torch, with its derivative."""

import torch

from pyro_gmvae.distributions import log_gamma


def test_it_and_its_derivative_are_those_of_torch():
    z = torch.logspace(-8, 12, 2001, dtype=torch.float64).requires_grad_()
    found, expected = log_gamma(z), torch.lgamma(z)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-12)
    (slope,) = torch.autograd.grad(found.sum(), z)
    torch.testing.assert_close(slope, torch.digamma(z.detach()), rtol=1e-12, atol=1e-12)


def test_it_is_zero_at_one_and_two():
    zero = log_gamma(torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert zero.abs().max() < 1e-14


def test_far_numbers_overflow_nowhere():
    far = torch.tensor([1e20, 1e37], dtype=torch.float64)
    torch.testing.assert_close(log_gamma(far), torch.lgamma(far), rtol=1e-14, atol=0.0)
