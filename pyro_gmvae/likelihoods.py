"""What a decoder's output means: the likelihood p(x | z).

A likelihood is a module that turns a decoder's output into a Pyro distribution over one
observation. It says which shape it wants (`output_shape`) and may own parameters of its own.
Add one by subclassing `Likelihood` with these two methods; `tests/likelihood_contract.py` holds
the test case that every likelihood must pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from math import expm1, log
from typing import Literal

import pyro.distributions as dist
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import softplus

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "ContinuousBernoulli",
    "Gaussian",
    "Likelihood",
    "make_likelihood",
]


class Likelihood(nn.Module, ABC):
    """p(x | decoder output), independent over the entries of an observation.

    Args:
        event_shape: shape of one observation, for example ``(64,)`` or ``(1, 28, 28)``.
    """

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the decoder's output for one datum."""
        return self.event_shape

    @abstractmethod
    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        """The distribution of each entry: batch shape ``(*batch, *event_shape)``, no event."""

    def forward(
        self,
        output: Float[Tensor, "*batch_and_output"],
        mask: Bool[Tensor, "*batch_and_event"] | None = None,
    ) -> dist.TorchDistribution:
        """The distribution of whole observations.

        Args:
            output: the decoder's output, shape ``(*batch, *output_shape)``.
            mask: True where an entry was observed, shape broadcasting to
                ``(*batch, *event_shape)``; entries that were not contribute nothing.

        Returns:
            A distribution of batch shape ``(*batch,)`` and event shape ``event_shape``.
        """
        entries = self.entrywise(output)
        if mask is not None:
            entries = entries.mask(mask)
        return entries.to_event(len(self.event_shape))

    def mean(self, output: Float[Tensor, "*batch_and_output"]) -> Float[Tensor, "*batch_and_event"]:
        """E[x | z], what a picture of a reconstruction shows; shape ``(*batch, *event_shape)``."""
        return self.entrywise(output).mean


class Bernoulli(Likelihood):
    """Binary entries; the decoder gives logits. For pixels, binarise them dynamically."""

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        return dist.Bernoulli(logits=output)


class ContinuousBernoulli(Likelihood):
    """Entries between 0 and 1 as they are, such as grey levels; the decoder gives logits.

    Reference: Loaiza-Ganem and Cunningham 2019, The continuous Bernoulli, arXiv 1907.06845.
    """

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        return dist.ContinuousBernoulli(logits=output)


class Gaussian(Likelihood):
    """Real-valued entries; the decoder gives their means.

    Args:
        event_shape: shape of one observation.
        scale: ``"learned"``, one standard deviation per entry; ``"predicted"``, the decoder gives
            it for each datum as well; or a positive number, fixed.
        min_scale: added to a learned or predicted scale. It keeps the density of an entry that
            can be predicted exactly from growing without bound.

    Raises:
        ValueError: if a fixed scale is not positive or the word is unknown.
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


LIKELIHOODS: dict[str, Callable[[Sequence[int]], Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    "gaussian_predicted": partial(Gaussian, scale="predicted"),
}


def make_likelihood(
    likelihood: str | type[Likelihood] | Likelihood, event_shape: Sequence[int]
) -> Likelihood:
    """A likelihood for observations of ``event_shape``, from its name, class or instance.

    Raises:
        ValueError: for an unknown name, or an instance made for another shape.
    """
    if isinstance(likelihood, str):
        if likelihood not in LIKELIHOODS:
            raise ValueError(
                f"unknown likelihood {likelihood!r}; choose from {sorted(LIKELIHOODS)}"
            )
        return LIKELIHOODS[likelihood](event_shape)
    if isinstance(likelihood, type):
        return likelihood(event_shape)
    if likelihood.event_shape != tuple(event_shape):
        raise ValueError(
            f"the likelihood is for observations of shape {likelihood.event_shape}, "
            f"the data have {tuple(event_shape)}"
        )
    return likelihood
