"""Define the base class of all likelihoods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import pyro.distributions as dist
from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["Likelihood", "Support"]

# The numbers that a likelihood takes: any; 0 or 1; from 0 to 1; the levels k / 255 of 8-bit
# images; 0, 1, 2, ...; columns of several families, with gaps (`pyro_gmvae.distributions.columns`).
# The encodings (`pyro_gmvae.data.encoding`) bring raw data there.
Support = Literal["real", "binary", "unit_interval", "levels", "count", "mixed"]


class Likelihood(nn.Module, ABC):
    """Define p(x | decoder output), independent over the entries of an observation.

    Args:
        event_shape: shape of one observation, for example ``(64,)`` or ``(1, 28, 28)``.

    Attributes:
        support: the numbers that it takes, on model scale. Data are brought there by it alone: no
            other part of the program knows a likelihood by its name. Under ``"levels"`` p(x|z) is a
            probability, not a density, and may be given in bits per dimension.

    >>> class Laplace(Likelihood):
    ...     def entrywise(self, output):
    ...         return dist.Laplace(output, torch.ones(()))
    >>> Laplace((3,))(torch.zeros(5, 3)).log_prob(torch.zeros(5, 3)).shape
    torch.Size([5])
    """

    support: ClassVar[Support] = "real"

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Return the shape of the decoder's output for one datum."""
        return self.event_shape

    @abstractmethod
    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        """Return the distribution of each entry.

        Args:
            output: the decoder's output, shape ``(*batch, *output_shape)``.

        Returns:
            A distribution of batch shape ``(*batch, *event_shape)`` and empty event shape.
        """

    def forward(
        self,
        output: Float[Tensor, "*batch_and_output"],
        mask: Bool[Tensor, "*batch_and_event"] | None = None,
    ) -> dist.TorchDistribution:
        """Return the distribution of whole observations.

        Args:
            output: the decoder's output, shape ``(*batch, *output_shape)``.
            mask: True where an entry was observed, shape broadcasting to
                ``(*batch, *event_shape)``; unobserved entries contribute nothing.

        Returns:
            A distribution of batch shape ``(*batch,)`` and event shape ``event_shape``.
        """
        entries = self.entrywise(output)
        if mask is not None:
            entries = entries.mask(mask)
        return entries.to_event(len(self.event_shape))

    def mean(self, output: Float[Tensor, "*batch_and_output"]) -> Float[Tensor, "*batch_and_event"]:
        """Compute E[x | z], as shown in a reconstruction; shape ``(*batch, *event_shape)``."""
        return self.entrywise(output).mean
