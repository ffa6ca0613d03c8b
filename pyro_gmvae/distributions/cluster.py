r"""The distributions of the cluster variable :math:`y`, on the vertices and inside the simplex.

On paper a cluster is a one-hot vector. The four inference methods look at it in three ways:

================================ ======================= ===========================
class                            draws                   used by
================================ ======================= ===========================
`RelaxableOneHotCategorical`     one-hot, enumerable     p(y); exact and marginal q
`ConcreteCategorical`            inside the simplex      q(y|x) of the Concrete method
`SparseOneHotCategorical`        m likeliest, one other  q(y|x) of the sparse method
================================ ======================= ===========================

All three score a value by the categorical mass, extended linearly from the vertices to the
simplex, so that every ELBO estimates the same, discrete objective. `Concrete` keeps the true
density of the relaxed variable for those who want the bound of the relaxed model.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import constraints, register_kl

from pyro_gmvae.distributions.subset import LEAST_SIZE, Subset, draw_subset

__all__ = [
    "Concrete",
    "ConcreteCategorical",
    "RelaxableOneHotCategorical",
    "SparseOneHotCategorical",
    "expected_value",
]


_LOG = "_log_of_draw"  # where a relaxed draw carries its logarithm


def _linear_log_mass(logits: Tensor, value: Tensor) -> Tensor:
    # A cluster of probability zero must not turn an unused coordinate into 0 * -inf.
    logits = logits.clamp(min=torch.finfo(logits.dtype).min)
    if value.shape == logits.shape:
        return (value * logits).sum(-1)
    # An enumerated value meets every datum: as a matrix product, without K x B x K numbers.
    return torch.einsum("...k,...k->...", value, logits)


def _gumbel_like(tensor: Tensor) -> Tensor:
    tiny = torch.finfo(tensor.dtype).tiny
    exponential = -torch.rand_like(tensor).clamp(min=tiny).log()
    return -exponential.clamp(min=tiny).log()


class RelaxableOneHotCategorical(dist.OneHotCategorical):
    r"""A one-hot categorical that also scores points inside the simplex.

    .. math:: \log p(y) = \sum_k y_k \log \pi_k

    which is the log-mass at the vertices and linear between them. Draws and the enumerated
    support are one-hot.

    Args:
        probs: probabilities, shape ``(*batch, K)``.
        logits: unnormalised log-probabilities, shape ``(*batch, K)``; give one of the two.

    >>> prior = RelaxableOneHotCategorical(probs=torch.tensor([0.25, 0.75]))
    >>> prior.log_prob(torch.tensor([0.0, 1.0])).exp()
    tensor(0.7500)
    """

    support = constraints.simplex  # type: ignore[assignment]

    def log_prob(self, value: Float[Tensor, "*value K"]) -> Float[Tensor, "*batch"]:
        if self._validate_args:
            self._validate_sample(value)
        return _linear_log_mass(self.logits, value)


class SparseOneHotCategorical(RelaxableOneHotCategorical):
    r"""A categorical that enumerates its ``n_likeliest`` values and one drawn from the rest.

    `enumerate_support` returns the set :math:`C` of the likeliest values, followed by one
    :math:`y'` drawn from :math:`q` restricted to the others; `expected_value` joins a function's
    values there into an estimate of :math:`E_q f` that is unbiased in value and gradient. The
    estimate needs these weights, and Pyro's own ELBOs take an enumerated support to be complete. So
    mark a site of it by ``infer={"enumerate_in_part": True}``, which only
    `pyro_gmvae.inference.TraceEnumMeanField_ELBO` follows: the others then draw one value of it, as
    of any categorical.

    Most data are sure of their cluster, and what is left for the others hardly matters. So
    :math:`y'` may count for a share of the data only, drawn with probabilities in proportion to
    the mass left over, and more there.

    Args:
        probs, logits: as in `RelaxableOneHotCategorical`, shape ``(*batch, K)``.
        n_likeliest: m, how many values are summed exactly, ``1 <= m < K``.
        drawn_share: the share of the data, along the last batch dimension, that y' counts for,
            ``0 < drawn_share <= 1``. Elsewhere the function's value at y' has no influence.

    Attributes:
        subset: those that y' of the last `enumerate_support` counts for; None if for all.

    Raises:
        ValueError: if m is outside that range (with m = K nothing is left to draw from; use
            `RelaxableOneHotCategorical`), or the share is.

    Reference: Liu et al. 2019, Rao-Blackwellized stochastic gradients for discrete
    distributions, arXiv 1810.04777.
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        *,
        n_likeliest: int = 1,
        drawn_share: float = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs=probs, logits=logits, validate_args=validate_args)
        if not 0 < drawn_share <= 1:
            raise ValueError(f"drawn_share must be above 0 and at most 1, got {drawn_share}")
        if not 1 <= n_likeliest < self.event_shape[0]:
            raise ValueError(
                f"n_likeliest must be between 1 and K - 1 = {self.event_shape[0] - 1}, "
                f"got {n_likeliest}"
            )
        self.n_likeliest = n_likeliest
        self.drawn_share = drawn_share
        self.subset: Subset | None = None

    def expand(
        self, batch_shape: Sequence[int], _instance: SparseOneHotCategorical | None = None
    ) -> SparseOneHotCategorical:
        new = self._get_checked_instance(SparseOneHotCategorical, _instance)
        new.n_likeliest = self.n_likeliest
        new.drawn_share = self.drawn_share
        new.subset = None
        return super().expand(batch_shape, _instance=new)

    def enumerate_support(self, expand: bool = True) -> Float[Tensor, "m_plus_1 *batch K"]:
        """The likeliest values, likeliest first, then the one drawn from the rest.

        The support differs from datum to datum, so it is always expanded.
        """
        logits = self.logits.detach()
        likeliest = logits.topk(self.n_likeliest, -1).indices
        rest = logits.scatter(-1, likeliest, -torch.inf)
        drawn = (rest + _gumbel_like(rest)).argmax(-1, keepdim=True)
        self.subset = self._draw_subset(rest)
        index = torch.cat([likeliest, drawn], -1).movedim(-1, 0).unsqueeze(-1)
        one_hot = logits.new_zeros((*index.shape[:-1], logits.shape[-1]))
        return one_hot.scatter(-1, index, 1.0)

    def _draw_subset(self, rest: Float[Tensor, "*batch K"]) -> Subset | None:
        n_data = rest.shape[-2] if rest.dim() > 1 else 1
        n = ceil(self.drawn_share * n_data)
        if n >= n_data:
            return None
        left = (rest.logsumexp(-1) - self.logits.detach().logsumexp(-1)).exp()
        # One subset for all batch dimensions but the last, and a size even where nothing is left.
        return draw_subset(left.view(-1, n_data).mean(0).clamp(min=LEAST_SIZE), n)

    def expected_value(
        self, support: Float[Tensor, "m_plus_1 *batch K"], values: Float[Tensor, "m_plus_1 *batch"]
    ) -> Float[Tensor, "*batch"]:
        r"""Unbiased estimate of :math:`\sum_y q(y) f(y)` and, differentiated, of its gradient.

        .. math::
            \sum_{y \in C} q_y f_y + b\, r + w \bar r \, [ (f_{y'} - b)
            + \overline{(f_{y'} - b)} (\log q_{y'} - \overline{\log q_{y'}}) ],
            \qquad r = 1 - \sum_{y \in C} q_y

        where a bar stops the gradient, so that the score counts in the gradient only, and w is the
        datum's weight in `subset`. The baseline ``b``, the q-weighted mean of ``f`` over C, does
        not depend on y' and has no gradient.
        """
        log_q = self.log_prob(support)
        q_likely, log_q_drawn = log_q[:-1].exp(), log_q[-1]
        f_likely, f_drawn = values[:-1], values[-1]
        rest = (1 - q_likely.sum(0)).clamp(min=0)
        baseline = ((q_likely * f_likely).sum(0) / q_likely.sum(0)).detach()
        above = f_drawn - baseline
        drawn = rest.detach() * (above + above.detach() * (log_q_drawn - log_q_drawn.detach()))
        if self.subset is not None:
            drawn = self.subset.weights * drawn
        return (q_likely * f_likely).sum(0) + baseline * rest + drawn


class Concrete(dist.RelaxedOneHotCategorical):
    r"""The Concrete distribution with its density, evaluated in log space.

    Torch's own `RelaxedOneHotCategorical` returns NaN once a coordinate underflows to zero (92 %
    of draws at temperature 0.1, K = 10 and logits of sd 5). Here draws keep every coordinate at or
    above the smallest normal number and carry their logarithm, of which the density is taken. A
    value that does not come from `rsample` as it is has a logarithm of -87 at least in float32:
    below a temperature of about 0.2 that is too much for sharp logits.

    Args:
        temperature: tau > 0, a tensor that broadcasts against the batch.
        probs, logits: shape ``(*batch, K)``.

    Reference: Maddison et al. 2017, The Concrete distribution, arXiv 1611.00712.
    """

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Float[Tensor, "*shape K"]:  # noqa: B008
        log_y = self.base_dist.rsample(sample_shape)
        # Normalised once more: scores in the hundreds round log y by more than a simplex forgives.
        y = log_y.softmax(-1)
        y = y.clamp(min=torch.finfo(y.dtype).tiny)
        setattr(y, _LOG, log_y)
        return y

    def log_prob(self, value: Float[Tensor, "*shape K"]) -> Float[Tensor, "*shape"]:
        if self._validate_args:
            self._validate_sample(value)
        log_y = getattr(value, _LOG, None)
        if log_y is None:
            log_y = value.clamp(min=torch.finfo(value.dtype).tiny).log()
        return self.base_dist.log_prob(log_y) - log_y.sum(-1)


class ConcreteCategorical(Concrete):
    r"""A categorical seen through reparametrised, relaxed draws.

    Draws are those of the Concrete distribution at ``temperature``; mass and KL divergence are
    the categorical's own, :math:`\log q(y) = \sum_k y_k \log q_k`. A mean-field ELBO thus pays the
    KL between categoricals. The Monte-Carlo KL between relaxed densities grows without bound as
    the logits do (53.6 nats against 1.74 for K = 10 and logits of sd 5) and forbids confident
    assignments; use `Concrete` where that bound is wanted.

    Args: as `Concrete`.
    """

    def log_prob(self, value: Float[Tensor, "*shape K"]) -> Float[Tensor, "*shape"]:
        if self._validate_args:
            self._validate_sample(value)
        return _linear_log_mass(self.logits, value)


@register_kl(RelaxableOneHotCategorical, RelaxableOneHotCategorical)
@register_kl(ConcreteCategorical, dist.OneHotCategorical)
@register_kl(ConcreteCategorical, ConcreteCategorical)
def _kl_categorical(
    p: RelaxableOneHotCategorical | ConcreteCategorical,
    q: dist.OneHotCategorical | ConcreteCategorical,
) -> Tensor:
    # Of the logits: torch's own is infinite where q's probability is too small for a float.
    probs = p.logits.exp()
    return (probs * (p.logits - q.logits)).masked_fill(probs == 0, 0.0).sum(-1)


def expected_value(
    q: dist.TorchDistribution, support: Tensor, values: Float[Tensor, "support *batch"]
) -> Float[Tensor, "*batch"]:
    r""":math:`E_q f` from the values of ``f`` at the enumerated ``support`` of a discrete q."""
    if isinstance(q, SparseOneHotCategorical):
        return q.expected_value(support, values)
    return (q.log_prob(support).exp() * values).sum(0)
