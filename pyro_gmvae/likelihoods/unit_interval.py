"""Likelihoods of entries that are, or lie between, zero and one."""

from __future__ import annotations

from typing import ClassVar

import pyro.distributions as dist
from jaxtyping import Bool, Float
from torch import Tensor

from pyro_gmvae.distributions import IndependentBernoulli
from pyro_gmvae.likelihoods.base import Likelihood, Support

__all__ = ["Bernoulli", "ContinuousBernoulli"]


class Bernoulli(Likelihood):
    """Binary entries; the decoder gives logits. For pixels, binarise them dynamically."""

    support: ClassVar[Support] = "binary"

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        return dist.Bernoulli(logits=output)

    def forward(
        self,
        output: Float[Tensor, "*batch_and_output"],
        mask: Bool[Tensor, "*batch_and_event"] | None = None,
    ) -> dist.TorchDistribution:
        entries = self.entrywise(output)
        # Not under a mask, nor for what a subclass makes of it.
        if mask is None and type(entries) is dist.Bernoulli:
            return IndependentBernoulli(entries, len(self.event_shape))
        return super().forward(output, mask)


class ContinuousBernoulli(Likelihood):
    """Entries between 0 and 1 as they are, such as grey levels; the decoder gives logits.

    Reference: Loaiza-Ganem and Cunningham 2019, The continuous Bernoulli, arXiv 1907.06845.
    """

    support: ClassVar[Support] = "unit_interval"

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        return dist.ContinuousBernoulli(logits=output)
