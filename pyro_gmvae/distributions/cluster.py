r"""Define distributions of the cluster variable :math:`y`, one-hot or inside the simplex.

On paper a cluster is a one-hot vector. The four inference methods use three distributions of it:

================================ ======================= ===========================
class                            draws                   used by
================================ ======================= ===========================
`RelaxableOneHotCategorical`     one-hot, enumerable     p(y); exact and marginal q
`ConcreteCategorical`            inside the simplex      q(y|x) of the Concrete method
`SparseOneHotCategorical`        m likeliest, one other  q(y|x) of the sparse method
================================ ======================= ===========================

All three score a value by the categorical mass, extended linearly from the vertices to the
simplex. So every ELBO estimates the same, discrete objective. `Concrete` keeps the true density
of the relaxed variable, which gives the bound of the relaxed model.
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


_LOG = "_log_of_draw"  # the attribute in which a relaxed draw carries its logarithm


def _linear_log_mass(logits: Tensor, value: Tensor) -> Tensor:
    # Without the clamp a cluster of probability zero turns an unused coordinate into 0 * -inf.
    logits = logits.clamp(min=torch.finfo(logits.dtype).min)
    if value.shape == logits.shape:
        return (value * logits).sum(-1)
    # An enumerated value is scored for every datum. A matrix product avoids K x B x K numbers.
    return torch.einsum("...k,...k->...", value, logits)


def _gumbel_like(tensor: Tensor) -> Tensor:
    tiny = torch.finfo(tensor.dtype).tiny
    exponential = -torch.rand_like(tensor).clamp(min=tiny).log()
    return -exponential.clamp(min=tiny).log()


class RelaxableOneHotCategorical(dist.OneHotCategorical):
    r"""Extend the one-hot categorical so that it also scores points inside the simplex.

    .. math:: \log p(y) = \sum_k y_k \log \pi_k

    This is the log-mass at the vertices and linear between them. Draws and the enumerated support
    are one-hot.

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
    r"""Enumerate the ``n_likeliest`` values of a categorical and draw one of the rest.

    `enumerate_support` returns the set :math:`C` of the likeliest values, followed by one value
    :math:`y'` drawn from :math:`q` restricted to the others. `expected_value` combines a
    function's values there into an estimate of :math:`E_q f` that is unbiased in value and
    gradient.

    The estimate needs these weights, but Pyro's own ELBOs assume that an enumerated support is
    complete. So mark a site of this distribution by ``infer={"enumerate_in_part": True}``. Only
    `pyro_gmvae.inference.TraceEnumMeanField_ELBO` follows this mark; other ELBOs draw one value, as
    from any categorical.

    For most data one cluster has nearly all the mass, and the value at :math:`y'` hardly matters.
    So y' may be scored for a share of the data only. This subset is drawn with probabilities in
    proportion to the mass outside C, and y' has a larger weight there.

    Args:
        probs, logits: as in `RelaxableOneHotCategorical`, shape ``(*batch, K)``.
        n_likeliest: m, how many values are summed exactly, ``1 <= m < K``.
        drawn_share: the share of the data, along the last batch dimension, for which y' is scored,
            ``0 < drawn_share <= 1``. For the other data the function's value at y' has no
            influence.

    Attributes:
        subset: the data for which the y' of the last `enumerate_support` is scored; None if it is
            scored for all data.

    Raises:
        ValueError: if m or the share is out of range (with m = K nothing is left to draw from; use
            `RelaxableOneHotCategorical`).

    Reference: Liu et al. 2019, Rao-Blackwellized stochastic gradients for discrete
    distributions, arXiv 1810.04777.

    >>> q = SparseOneHotCategorical(probs=torch.tensor([0.1, 0.6, 0.3]), n_likeliest=2)
    >>> q.enumerate_support()
    tensor([[0., 1., 0.],
            [0., 0., 1.],
            [1., 0., 0.]])
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
        """Return the likeliest values, likeliest first, then the value drawn from the rest.

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
        # All batch dimensions but the last share one subset. The clamp keeps every size positive.
        return draw_subset(left.view(-1, n_data).mean(0).clamp(min=LEAST_SIZE), n)

    def expected_value(
        self, support: Float[Tensor, "m_plus_1 *batch K"], values: Float[Tensor, "m_plus_1 *batch"]
    ) -> Float[Tensor, "*batch"]:
        r"""Estimate :math:`\sum_y q(y) f(y)` without bias in value and gradient.

        .. math::
            \sum_{y \in C} q_y f_y + b\, r + w \bar r \, [ (f_{y'} - b)
            + \overline{(f_{y'} - b)} (\log q_{y'} - \overline{\log q_{y'}}) ],
            \qquad r = 1 - \sum_{y \in C} q_y

        A bar stops the gradient, so that the score term enters the gradient only. The weight w is
        the datum's weight in `subset`. The baseline ``b`` is the q-weighted mean of ``f`` over C;
        it does not depend on y' and has no gradient.
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
    r"""Evaluate the density of the Concrete distribution in log space.

    Torch's own `RelaxedOneHotCategorical` returns NaN once a coordinate underflows to zero (92 %
    of draws at temperature 0.1, K = 10 and logits of sd 5). Here a draw keeps every coordinate at
    or above the smallest normal number and carries its logarithm, from which the density is
    computed. Any other value is clamped, so that its logarithms are at least -87 in float32. Below
    a temperature of about 0.2 this bound is too high for sharp logits.

    Args:
        temperature: tau > 0, a tensor that broadcasts against the batch.
        probs, logits: shape ``(*batch, K)``.

    Reference: Maddison et al. 2017, The Concrete distribution, arXiv 1611.00712.

    >>> q = Concrete(torch.tensor(0.1), logits=torch.tensor([50.0, 0.0, -50.0]))
    >>> q.log_prob(q.rsample()).isfinite()
    tensor(True)
    """

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Float[Tensor, "*shape K"]:  # noqa: B008
        log_y = self.base_dist.rsample(sample_shape)
        # Normalise once more: with scores in the hundreds, log y is rounded by more than the
        # simplex constraint tolerates.
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
    r"""Draw relaxed, reparametrised values of a categorical, but keep its mass and KL divergence.

    Draws are those of the Concrete distribution at ``temperature``. Mass and KL divergence are
    the categorical's own, :math:`\log q(y) = \sum_k y_k \log q_k`. A mean-field ELBO thus contains
    the KL between categoricals. The Monte-Carlo KL between relaxed densities grows without bound
    with the logits (53.6 nats against 1.74 for K = 10 and logits of sd 5) and forbids confident
    assignments; use `Concrete` for the bound of the relaxed model.

    Args:
        temperature: tau > 0, a tensor that broadcasts against the batch.
        probs, logits: shape ``(*batch, K)``.

    >>> q = ConcreteCategorical(torch.tensor(0.5), probs=torch.tensor([0.25, 0.75]))
    >>> q.log_prob(torch.tensor([0.0, 1.0])).exp()
    tensor(0.7500)
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
    # Use the logits: torch's own KL is infinite where q's probability is too small for a float.
    probs = p.logits.exp()
    return (probs * (p.logits - q.logits)).masked_fill(probs == 0, 0.0).sum(-1)


def expected_value(
    q: dist.TorchDistribution, support: Tensor, values: Float[Tensor, "support *batch"]
) -> Float[Tensor, "*batch"]:
    r"""Compute :math:`E_q f` from the values of ``f`` at the enumerated support of a discrete q.

    The result is exact for a complete support. It is an unbiased estimate for a
    `SparseOneHotCategorical`.

    Args:
        q: the distribution, batch shape ``(*batch,)``.
        support: ``q.enumerate_support()``, shape ``(values, *batch, K)``.
        values: f at each value of the support, shape ``(values, *batch)``.

    >>> q = RelaxableOneHotCategorical(probs=torch.tensor([0.25, 0.75]))
    >>> expected_value(q, q.enumerate_support(), torch.tensor([0.0, 8.0]))
    tensor(6.)
    """
    if isinstance(q, SparseOneHotCategorical):
        return q.expected_value(support, values)
    return (q.log_prob(support).exp() * values).sum(0)
