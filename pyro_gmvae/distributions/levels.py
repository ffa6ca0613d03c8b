r"""Define probabilities over the 256 levels :math:`k / 255` of an 8-bit pixel."""

from __future__ import annotations

from collections.abc import Sequence

import pyro.distributions as dist
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.utils import broadcast_all
from torch.nn.functional import softplus

__all__ = ["LEVELS", "DiscretizedLogistic", "LevelMixture"]

LEVELS = 256
TOP = LEVELS - 1
TOLERANCE = 1e-3  # in levels; k / 255 in float32 is off by a hundredth of this


class _OnGrid(constraints.Constraint):
    """Constrain a value to 0, 1/255, ..., 1, up to rounding."""

    is_discrete = True

    def check(self, value: Float[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
        level = value * TOP
        on_grid = (level - level.round()).abs() < TOLERANCE
        return on_grid & (level > -TOLERANCE) & (level < TOP + TOLERANCE)


class DiscretizedLogistic(dist.TorchDistribution):
    r"""Round a logistic variable to the nearest of 256 levels; the outermost two get the tails.

    With :math:`\mu` and :math:`s` the location and the scale in levels,

    .. math::
        P(x = k / 255) = \sigma\Big(\frac{k + 1/2 - \mu}{s}\Big)
        - \sigma\Big(\frac{k - 1/2 - \mu}{s}\Big)

    where the first term is 1 for k = 255 and the second term is 0 for k = 0. Without validation a
    value between two levels is scored as the nearer one.

    Args:
        loc: location on the scale of the data, [0, 1]; it may lie outside. Any shape.
        scale: positive, on the same scale; broadcasts against ``loc``. The standard deviation
            before rounding is :math:`\pi / \sqrt 3` times the scale.

    Raises:
        ValueError: under validation, for a scale that is not positive, a location that is not a
            number, or a value that is not one of k / 255.

    Reference: Salimans et al. 2017, PixelCNN++, arXiv 1701.05517.

    >>> pixel = DiscretizedLogistic(torch.tensor(0.5), torch.tensor(0.1))
    >>> round(pixel.log_prob(torch.arange(256) / 255).exp().sum().item(), 4)
    1.0
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = _OnGrid()

    def __init__(
        self,
        loc: Float[Tensor, "*loc"],
        scale: Float[Tensor, "*scale"],
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(
        self, batch_shape: Sequence[int], _instance: DiscretizedLogistic | None = None
    ) -> DiscretizedLogistic:
        new = self._get_checked_instance(DiscretizedLogistic, _instance)
        new.loc, new.scale = self.loc.expand(batch_shape), self.scale.expand(batch_shape)
        super(DiscretizedLogistic, new).__init__(torch.Size(batch_shape), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Float[Tensor, "*value"]) -> Float[Tensor, "*shape"]:
        if self._validate_args:
            self._validate_sample(value)
        # The difference of sigmoids cancels. With a - b = 1/s it equals a product, which does
        # not: sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(-1/s)).
        level = (value * TOP).round().clamp(0, TOP)
        per_level = 1 / (TOP * self.scale)
        distance = (level - TOP * self.loc) * per_level
        # log sigma(a) = -softplus(-a), which compiles to half the work of torch's logsigmoid.
        # Factors of 0 and 1 replace a branch: all that they multiply is finite.
        has_upper, has_lower = (TOP - level).clamp(max=1), level.clamp(max=1)
        return (
            has_upper * has_lower * (-torch.expm1(-per_level)).log()
            - has_upper * softplus(-distance - per_level / 2)
            - has_lower * softplus(distance - per_level / 2)
        )

    def sample(self, sample_shape: Sequence[int] = ()) -> Float[Tensor, "*shape"]:
        with torch.no_grad():
            shape = self._extended_shape(torch.Size(sample_shape))
            u = torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device)
            u = u.clamp(min=torch.finfo(u.dtype).tiny)
            x = self.loc + self.scale * (u.log() - (-u).log1p())
            return (x * TOP).round().clamp(0, TOP) / TOP

    @property
    def mean(self) -> Float[Tensor, "*shape"]:
        r"""Return :math:`E x = \sum_{k < 255} P(x > k / 255) / 255`, summed term by term.

        Adding one term at a time saves memory.
        """
        per_level = 1 / (TOP * self.scale)
        total = torch.zeros_like(self.loc)
        for level in range(TOP):
            total = total + torch.sigmoid((TOP * self.loc - level - 0.5) * per_level)
        return total / TOP


class LevelMixture(dist.MixtureSameFamily):
    r"""Mix M distributions over the same levels.

    .. math:: P(x) = \sum_m w_m P_m(x)

    Args:
        mixture_distribution: a `Categorical` over the M components, batch shape ``(*batch,)``.
        component_distribution: batch shape ``(*batch, M)``.

    >>> weights = dist.Categorical(logits=torch.zeros(2))
    >>> levels = DiscretizedLogistic(torch.tensor([0.2, 0.8]), torch.tensor(0.05))
    >>> round(LevelMixture(weights, levels).log_prob(torch.arange(256) / 255).exp().sum().item(), 4)
    1.0
    """

    def log_prob(self, value: Float[Tensor, "*value"]) -> Float[Tensor, "*shape"]:
        if self._validate_args:
            self._validate_sample(value)
        # Torch's own method normalises the weights again, which takes a quarter of the whole cost.
        log_p = self.component_distribution.log_prob(value.unsqueeze(-1))
        return (self.mixture_distribution.logits + log_p).logsumexp(-1)
