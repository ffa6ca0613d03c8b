"""The logarithm of the gamma function is that of torch, with its derivative, in a graph too."""

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.distributions.gamma import log_gamma, log_gamma_by_series


def test_the_series_and_its_derivative_are_those_of_torch():
    z = torch.logspace(-8, 12, 2001, dtype=torch.float64).requires_grad_()
    found, expected = log_gamma_by_series(z), torch.lgamma(z)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-12)
    (slope,) = torch.autograd.grad(found.sum(), z)
    torch.testing.assert_close(slope, torch.digamma(z.detach()), rtol=1e-12, atol=1e-12)


def test_it_is_zero_at_one_and_two():
    zero = log_gamma_by_series(torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert zero.abs().max() < 1e-14


def test_far_numbers_overflow_nowhere():
    far = torch.tensor([1e20, 1e37], dtype=torch.float64)
    torch.testing.assert_close(log_gamma_by_series(far), torch.lgamma(far), rtol=1e-14, atol=0.0)


def test_a_graph_gets_the_series_and_everything_else_what_torch_has():
    lgamma = torch.ops.aten.lgamma.default
    z = torch.tensor([0.3, 2.0, 40.0], dtype=torch.float64)
    graph = make_fx(log_gamma, tracing_mode="fake")(z)
    assert lgamma not in {node.target for node in graph.graph.nodes}
    torch.testing.assert_close(graph(z), torch.lgamma(z), rtol=1e-13, atol=1e-13)
    assert torch.equal(log_gamma(z), torch.lgamma(z))
