"""Compute the logarithm of the gamma function, fast with and without a compiler."""

from __future__ import annotations

from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode

__all__ = ["log_gamma", "log_gamma_by_series"]

# Stirling's series in 1 / z, 1 / z³, ...: B_2n / (2n (2n - 1)) with the Bernoulli numbers B.
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
SHIFT = 8  # from here on seven terms of the series leave less than 1e-14
HALF_LOG_2PI = 0.5 * log(2 * pi)


def log_gamma(z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Compute log Gamma of positive numbers.

    `torch.lgamma` is one operation. In a compiled graph it is a call for each number, and keeps the
    operations around it from being vectorised, so that a graph gets the series.

    Args:
        z: numbers above 0, at most 1e37 in double precision.

    >>> log_gamma(torch.tensor([1.0, 5.0], dtype=torch.float64)).exp()
    tensor([ 1.0000, 24.0000], dtype=torch.float64)
    """
    return torch.lgamma(z) if get_proxy_mode() is None else log_gamma_by_series(z)


def log_gamma_by_series(z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Compute log Gamma of positive numbers, by Stirling's series at z + 8.

    .. math:: \log \Gamma(z) = \log \Gamma(z + 8) - \log \prod_{i < 8} (z + i)

    Args:
        z: numbers above 0, at most 1e37 in double precision.

    Source: Abramowitz and Stegun 1964, 6.1.40.

    >>> log_gamma_by_series(torch.tensor([1.0, 5.0], dtype=torch.float64)).exp()
    tensor([ 1.0000, 24.0000], dtype=torch.float64)
    """
    far = z + SHIFT
    inverse = 1 / far
    square, series = inverse * inverse, torch.zeros_like(z)
    for coefficient in reversed(STIRLING):
        series = series * square + coefficient
    rising = z
    for i in range(1, SHIFT):
        rising = rising * (z + i)
    return (far - 0.5) * far.log() - far + HALF_LOG_2PI + series * inverse - rising.log()
