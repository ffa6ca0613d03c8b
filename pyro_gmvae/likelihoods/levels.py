"""Define likelihoods of 8-bit images: a probability for each of the 256 levels of an entry."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, log
from typing import ClassVar

import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from pyro_gmvae import distributions
from pyro_gmvae.distributions import LevelMixture
from pyro_gmvae.likelihoods.base import Likelihood, Support

__all__ = ["DiscretizedLogistic", "DiscretizedLogisticMixture"]

MIN_SCALE = 4e-4  # a tenth of a level; one level has all the mass then, so less gains nothing
START_SCALE = 0.25  # scale for an output of zero; all levels are likely, so that all data are


class DiscretizedLogistic(Likelihood):
    r"""Model entries k / 255, k = 0..255, by one discretised logistic each.

    The decoder gives a location and a raw scale for each entry,

    .. math::
        \mu = (1 + o_1) / 2, \qquad s = \mathrm{softplus}(o_2 + c) / 2 + s_{\min}

    on the scale of the data, [0, 1], so that an output of zero is the middle of the range. The
    density is that of `pyro_gmvae.distributions.DiscretizedLogistic`. As in every likelihood here,
    entries are independent given z. This includes the channels of a pixel, unlike in PixelCNN++.

    Args:
        event_shape: shape of one observation.
        min_scale: added to the scale; 1 is the whole range.

    Raises:
        ValueError: if ``min_scale`` is not positive.

    Reference: Salimans et al. 2017, PixelCNN++, arXiv 1701.05517.

    >>> likelihood = DiscretizedLogistic((1, 28, 28))
    >>> likelihood.output_shape
    (2, 1, 28, 28)
    >>> likelihood(torch.zeros(5, 2, 1, 28, 28)).log_prob(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5])
    """

    support: ClassVar[Support] = "levels"

    def __init__(self, event_shape: Sequence[int], min_scale: float = MIN_SCALE) -> None:
        super().__init__(event_shape)
        _require_positive(min_scale)
        self.min_scale = min_scale

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (2, *self.event_shape)

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        loc, raw_scale = output.unbind(-1 - len(self.event_shape))
        return distributions.DiscretizedLogistic(
            (1 + loc) / 2, _scale(raw_scale, START_SCALE, self.min_scale)
        )


class DiscretizedLogisticMixture(Likelihood):
    r"""Model entries k / 255 that have several likely values by a mixture of M logistics each.

    .. math:: p(x | z) = \sum_m w_m \, \mathrm{DiscretizedLogistic}(x; \mu_m, s_m)

    The decoder gives locations, raw scales and weights. The weights w are the softmax of the third
    output. Locations and scales are as in `DiscretizedLogistic`, except that an output of zero
    spreads the locations evenly over [0, 1]; equal locations would stay together for long.

    Args:
        event_shape: shape of one observation.
        n_components: M, number of logistics.
        min_scale: added to the scales; 1 is the whole range.

    Raises:
        ValueError: if ``n_components`` is below 1 or ``min_scale`` not positive.

    Reference: Salimans et al. 2017, PixelCNN++, arXiv 1701.05517.

    >>> DiscretizedLogisticMixture((1, 28, 28), n_components=4).output_shape
    (3, 4, 1, 28, 28)
    """

    support: ClassVar[Support] = "levels"

    centers: Tensor

    def __init__(
        self, event_shape: Sequence[int], n_components: int = 5, min_scale: float = MIN_SCALE
    ) -> None:
        super().__init__(event_shape)
        if n_components < 1:
            raise ValueError(f"n_components must be at least 1, got {n_components}")
        _require_positive(min_scale)
        self.n_components = n_components
        self.min_scale = min_scale
        centers = torch.tensor([(m + 0.5) / n_components for m in range(n_components)])
        self.register_buffer("centers", centers, persistent=False)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (3, self.n_components, *self.event_shape)

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> dist.TorchDistribution:
        last = output.movedim(-1 - len(self.event_shape), -1)  # torch wants the components last
        loc, raw_scale, logits = last.unbind(-2 - len(self.event_shape))
        logistics = distributions.DiscretizedLogistic(
            self.centers + loc / 2, _scale(raw_scale, START_SCALE, self.min_scale)
        )
        return LevelMixture(dist.Categorical(logits=logits), logistics)


def _scale(raw: Tensor, start: float, minimum: float) -> Tensor:
    # Softplus is like an exponential for small scales, but grows only linearly for large ones.
    return softplus(raw + log(expm1(2 * start))) / 2 + minimum


def _require_positive(min_scale: float) -> None:
    if not min_scale > 0:
        raise ValueError(f"min_scale must be positive, got {min_scale}")
