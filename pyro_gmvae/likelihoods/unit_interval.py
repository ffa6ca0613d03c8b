"""Define likelihoods of entries that are zero or one, or lie between."""

from __future__ import annotations

from typing import ClassVar

import pyro.distributions as dist
from jaxtyping import Bool, Float
from torch import Tensor

from pyro_gmvae.distributions import IndependentBernoulli
from pyro_gmvae.likelihoods.base import Likelihood, Support

__all__ = ["Bernoulli", "ContinuousBernoulli"]


class Bernoulli(Likelihood):
    """Model binary entries whose logits the decoder gives.

    Binarise the pixels of images dynamically, that is, anew in each epoch.

    Args:
        event_shape: shape of one observation.

    >>> p_x = Bernoulli((3,))(torch.zeros(5, 3))
    >>> p_x.log_prob(torch.ones(5, 3)).exp()
    tensor([0.1250, 0.1250, 0.1250, 0.1250, 0.1250])
    """

    support: ClassVar[Support] = "binary"

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        return dist.Bernoulli(logits=output)

    def forward(
        self,
        output: Float[Tensor, "*batch_and_output"],
        mask: Bool[Tensor, "*batch_and_event"] | None = None,
    ) -> dist.TorchDistribution:
        entries = self.entrywise(output)
        # A mask, or another distribution of a subclass, needs the general way.
        if mask is None and type(entries) is dist.Bernoulli:
            return IndependentBernoulli(entries, len(self.event_shape))
        return super().forward(output, mask)


class ContinuousBernoulli(Likelihood):
    """Model entries between 0 and 1, such as grey levels, whose logits the decoder gives.

    Args:
        event_shape: shape of one observation.

    Reference: Loaiza-Ganem and Cunningham 2019, The continuous Bernoulli, arXiv 1907.06845.

    >>> p_x = ContinuousBernoulli((2,))(torch.zeros(5, 2))  # uniform at a logit of 0
    >>> p_x.log_prob(torch.full((5, 2), 0.3)).abs().max() < 1e-4
    tensor(True)
    """

    support: ClassVar[Support] = "unit_interval"

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        return dist.ContinuousBernoulli(logits=output)
