"""What a network says of each datum, as effects that a handler may ask of some rows only."""

from __future__ import annotations

from collections.abc import Callable

import pyro.distributions as dist
from pyro.poutine.runtime import effectful
from torch import Tensor

__all__ = ["inferred", "observation"]


@effectful(type="inferred")
def inferred(
    head: Callable[..., tuple[Tensor, Tensor]], features: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """``head(features, y)``, unless a handler knows that some of its rows do not count."""
    return head(features, y)


@effectful(type="observation")
def observation(
    p_x: Callable[..., dist.TorchDistribution], z: Tensor, *covariates: Tensor
) -> dist.TorchDistribution:
    """``p_x(z, *covariates)``, under the same condition."""
    return p_x(z, *covariates)
