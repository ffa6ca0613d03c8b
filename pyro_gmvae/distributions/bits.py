"""Score many independent bits with one logarithm for every eight of them."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["IndependentBernoulli", "bits_log_prob"]

FACTORS = 8  # each factor is between 1 and 2, so that their product is exact enough in any float


class IndependentBernoulli(dist.Independent):
    """Treat the last dimensions of a Bernoulli as one event, with fewer logarithms.

    It equals ``dist.Bernoulli(logits=l).to_event(n)`` up to rounding.

    Args:
        base_distribution: a Bernoulli with logits, batch shape ``(*batch, *event)``.
        reinterpreted_batch_ndims: n, how many dimensions make up one event.

    >>> bits = IndependentBernoulli(dist.Bernoulli(logits=torch.zeros(3)), 1)
    >>> bits.log_prob(torch.ones(3)).exp()
    tensor(0.1250)
    """

    def log_prob(self, value: Float[Tensor, "*value"]) -> Float[Tensor, "*batch"]:
        if self.base_dist._validate_args:
            self.base_dist._validate_sample(value)
        n = len(self.event_shape)
        if n == 0:
            return self.base_dist.log_prob(value)
        return bits_log_prob(self.base_dist.logits.flatten(-n), value.flatten(-n))


def bits_log_prob(
    logits: Float[Tensor, "*batch D"], value: Float[Tensor, "*value D"]
) -> Float[Tensor, "*shape"]:
    r"""Compute the log-probability of D independent bits, summed over the bits.

    .. math:: \sum_i x_i l_i - \log(1 + e^{l_i})
        = \sum_i x_i l_i - \max(l_i, 0) - \log(1 + e^{-|l_i|})

    The last logarithms are the slow part. They are computed once for each product of up to eight
    factors; the number of factors divides D. The gradient is :math:`x - \sigma(l)`.

    Args:
        logits: shape ``(*batch, D)``.
        value: bits, shape ``(*value, D)``; broadcasts against ``logits``.

    >>> bits_log_prob(torch.zeros(4), torch.ones(4)).exp()
    tensor(0.0625)
    """
    log_prob: Tensor = _BitsLogProb.apply(logits, value)
    return log_prob


class _BitsLogProb(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, value: Tensor) -> Tensor:
        n = next(n for n in range(FACTORS, 0, -1) if logits.shape[-1] % n == 0)
        groups = (n, logits.shape[-1] // n)
        linear = (value * logits - logits.clamp(min=0)).unflatten(-1, groups).sum(-2)
        products = (1 + (-logits.abs()).exp()).unflatten(-1, groups).prod(-2)
        return (linear - products.log()).sum(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        logits, value = ctx.saved_tensors
        gradient = gradient.unsqueeze(-1)
        of_logits = of_value = None
        if ctx.needs_input_grad[0]:
            of_logits = (gradient * (value - logits.sigmoid())).sum_to_size(logits.shape)
        if ctx.needs_input_grad[1]:
            of_value = (gradient * logits).sum_to_size(value.shape)
        return of_logits, of_value
