"""p(x|z) as an effect, which a handler may ask of some rows only."""

from __future__ import annotations

from collections.abc import Callable

import pyro.distributions as dist
from pyro.poutine.runtime import effectful
from torch import Tensor

__all__ = ["observation"]


@effectful(type="observation")
def observation(
    p_x: Callable[..., dist.TorchDistribution], z: Tensor, *covariates: Tensor
) -> dist.TorchDistribution:
    """``p_x(z, *covariates)``, unless a handler knows that some of its rows do not count."""
    return p_x(z, *covariates)
