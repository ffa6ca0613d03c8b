"""Define the likelihood of real-valued entries."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, log
from typing import Literal

import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from pyro_gmvae.likelihoods.base import Likelihood

__all__ = ["Gaussian", "PredictedGaussian"]


class Gaussian(Likelihood):
    """Model real-valued entries by normal distributions whose means the decoder gives.

    Args:
        event_shape: shape of one observation.
        scale: ``"learned"`` for one standard deviation per entry; ``"predicted"`` for a decoder
            that gives it for each datum as well; or a positive number, which stays fixed.
        min_scale: added to a learned or predicted scale. It keeps the density of an entry that
            can be predicted exactly from growing without bound.

    Raises:
        ValueError: if a fixed scale is not positive or the word is unknown.

    >>> p_x = Gaussian((3,), scale=1.0)(torch.zeros(5, 3))
    >>> p_x.batch_shape, p_x.event_shape
    (torch.Size([5]), torch.Size([3]))
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        scale: Literal["learned", "predicted"] | float = "learned",
        min_scale: float = 1e-2,
    ) -> None:
        super().__init__(event_shape)
        if isinstance(scale, str) and scale not in ("learned", "predicted"):
            raise ValueError(f'scale must be "learned", "predicted" or a number, got {scale!r}')
        if not isinstance(scale, str) and not scale > 0:
            raise ValueError(f"a fixed scale must be positive, got {scale}")
        self.scale = scale
        self.min_scale = min_scale
        if scale == "learned":
            start = log(expm1(1.0 - min_scale))  # softplus(start) + min_scale = 1
            self.raw_scale = nn.Parameter(torch.full(self.event_shape, start))

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (2, *self.event_shape) if self.scale == "predicted" else self.event_shape

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        if self.scale == "predicted":
            loc, raw_scale = output.unbind(-1 - len(self.event_shape))
            return dist.Normal(loc, softplus(raw_scale) + self.min_scale)
        if self.scale == "learned":
            return dist.Normal(output, softplus(self.raw_scale) + self.min_scale)
        return dist.Normal(output, output.new_tensor(self.scale))


class PredictedGaussian(Gaussian):
    """Score real-valued entries whose mean and scale the decoder gives; see `Gaussian`.

    >>> PredictedGaussian((3,)).output_shape
    (2, 3)
    """

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__(event_shape, scale="predicted")
