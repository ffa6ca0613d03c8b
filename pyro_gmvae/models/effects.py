"""Make network calls visible to Pyro handlers, which may compute some rows only."""

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
    """Compute ``head(features, y)``, unless a handler knows that some rows are not scored.

    >>> def head(features, y):  # a mean and a scale
    ...     return features + y, torch.ones(2)
    >>> inferred(head, torch.tensor([1.0, 2.0]), torch.tensor([10.0, 10.0]))
    (tensor([11., 12.]), tensor([1., 1.]))
    """
    return head(features, y)


@effectful(type="observation")
def observation(
    p_x: Callable[..., dist.TorchDistribution], z: Tensor, *covariates: Tensor
) -> dist.TorchDistribution:
    """Compute ``p_x(z, *covariates)``, unless a handler knows that some rows are not scored.

    >>> def p_x(z):
    ...     return dist.Normal(2 * z, 1.0)
    >>> observation(p_x, torch.tensor([1.0, 2.0])).mean
    tensor([2., 4.])
    """
    return p_x(z, *covariates)
