"""Model the cells of a row of a table: numbers, counts and levels, some of which are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import constraints

from pyro_gmvae.distributions.columns import ColumnLayout
from pyro_gmvae.distributions.gamma import HALF_LOG_2PI, log_gamma

__all__ = ["IndexedColumns", "LevelIndex", "TableCells"]


class LevelIndex(NamedTuple):
    """Hold where the levels of each column are, as tensors on the device of the model.

    Attributes:
        column: ``(L,)``, the place among the columns of levels that each level belongs to.
        code: ``(L,)``, the code of each level in its column.
        member: ``(L, C)``, 1 where a level belongs to a column of levels, else 0.
        order: ``(D,)``, the place of each column of the table among those sorted by family.
        reals, counts, levels: places of the columns of each family.

    >>> index = LevelIndex.of(ColumnLayout(("levels:2", "real")))
    >>> index.code.tolist(), index.order.tolist()
    ([0, 1], [1, 0])
    """

    column: Tensor
    code: Tensor
    member: Tensor
    order: Tensor
    reals: Tensor
    counts: Tensor
    levels: Tensor

    @classmethod
    def of(cls, layout: ColumnLayout) -> LevelIndex:
        """Make the tensors of a layout."""
        pairs = [(i, code) for i, size in enumerate(layout.sizes) for code in range(size)]
        by_family = (*layout.real, *layout.count, *layout.levels)
        order = sorted(range(len(layout)), key=by_family.__getitem__)
        numbers = ([i for i, _ in pairs], [code for _, code in pairs], range(len(pairs)), order)
        column, code, each, order_of = (torch.tensor(n, dtype=torch.long) for n in numbers)
        member = torch.zeros(len(pairs), len(layout.sizes))
        member[each, column] = 1.0
        places = (layout.real, layout.count, layout.levels)
        return cls(
            column, code, member, order_of, *(torch.tensor(p, dtype=torch.long) for p in places)
        )


class IndexedColumns(nn.Module):
    """Keep the index of a table's columns as buffers, which go with the module to a device.

    The buffers follow from the columns and are not part of the module's state.

    >>> module = IndexedColumns()
    >>> module.index_columns(ColumnLayout(("levels:2", "real")))
    >>> module.index.order.tolist(), list(module.state_dict())
    ([1, 0], [])
    """

    def index_columns(self, layout: ColumnLayout) -> None:
        """Make the buffers; call it once, in the constructor."""
        for name, tensor in LevelIndex.of(layout)._asdict().items():
            self.register_buffer(f"index_{name}", tensor, persistent=False)

    @property
    def index(self) -> LevelIndex:
        """Return where columns and levels are, on the device of the module."""
        return LevelIndex(*(getattr(self, f"index_{name}") for name in LevelIndex._fields))


class _AnyOrMissing(constraints.Constraint):
    """Take any number, and NaN for a missing cell."""

    def check(self, value: Tensor) -> Tensor:
        return ~value.isinf()


_ANY_OR_MISSING = _AnyOrMissing()


class TableCells(dist.TorchDistribution):
    r"""Score each cell of a row under the law of its column's family.

    A real cell is normal. A count is negative binomial with mean m and dispersion r,

    .. math:: p(x) = \frac{\Gamma(x + r)}{\Gamma(r)\, x!}
        \Big(\frac{m}{m + r}\Big)^x \Big(\frac{r}{m + r}\Big)^r,

    and a level is categorical. A missing cell is NaN and scores zero: it is summed out, which is
    exact, for cells are independent here.

    Args:
        layout: the columns.
        index: the places of the columns and levels, on the device of the other arguments.
        loc, scale: mean and standard deviation of the real cells, ``(*batch, R)``.
        log_rate, dispersion: log m and r of the counts, ``(*batch, C)``.
        logits: log-probabilities of all levels up to a constant a column, ``(*batch, L)``. They
            are from -40 to 40, so that their exponentials fit in any float.
        weights: ``(D,)``, factors of the log-probabilities of the columns; None is 1 for all.

    >>> layout = ColumnLayout(("real", "levels:2"))
    >>> cells = TableCells(
    ...     layout, LevelIndex.of(layout), torch.zeros(1), torch.ones(1), torch.zeros(0),
    ...     torch.ones(0), torch.zeros(2))
    >>> cells.log_prob(torch.tensor([float("nan"), 1.0])).exp()
    tensor([1.0000, 0.5000])
    """

    arg_constraints: dict[str, Any] = {}
    support = constraints.dependent_property(is_discrete=False, event_dim=0)(
        lambda self: _ANY_OR_MISSING
    )
    has_rsample = False

    def __init__(
        self,
        layout: ColumnLayout,
        index: LevelIndex,
        loc: Float[Tensor, "*batch R"],
        scale: Float[Tensor, "*batch R"],
        log_rate: Float[Tensor, "*batch C"],
        dispersion: Float[Tensor, "*batch C"],
        logits: Float[Tensor, "*batch L"],
        weights: Float[Tensor, " D"] | None = None,
    ) -> None:
        self.layout, self.index, self.weights = layout, index, weights
        self.loc, self.scale = loc, scale
        self.log_rate, self.dispersion = log_rate, dispersion
        self.logits = logits
        batch = torch.broadcast_shapes(*(t.shape[:-1] for t in (loc, log_rate, logits)))
        super().__init__(torch.Size((*batch, len(layout))), validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> TableCells:
        """Repeat the cells of a row along new dimensions."""
        rows = torch.Size(batch_shape)[:-1]
        return self._each(lambda part: part.expand(*rows, part.shape[-1]))

    def rows(self, *places: Tensor) -> TableCells:
        """Take the cells of some rows, whose places are given for each batch dimension."""
        return self._each(lambda part: part[places])

    def _each(self, change: Callable[[Tensor], Tensor]) -> TableCells:
        parts = (self.loc, self.scale, self.log_rate, self.dispersion, self.logits)
        loc, scale, log_rate, dispersion, logits = map(change, parts)
        return TableCells(
            self.layout, self.index, loc, scale, log_rate, dispersion, logits, self.weights
        )

    def log_prob(self, value: Float[Tensor, "*value D"]) -> Float[Tensor, "*shape D"]:
        """Compute the log-probability of each cell, in nats, zero where it is missing."""
        seen = ~value.isnan()
        filled = torch.where(seen, value, torch.zeros_like(value))
        cells = [
            self._real(filled.index_select(-1, self.index.reals)),
            self._count(filled.index_select(-1, self.index.counts)),
            self._levels(filled.index_select(-1, self.index.levels)),
        ]
        each = self._ordered([c for c in cells if c is not None])
        if self.weights is not None:
            each = each * self.weights
        return torch.where(seen, each, torch.zeros_like(each))

    def _real(self, x: Tensor) -> Tensor | None:
        if not self.layout.real:
            return None
        u = (x - self.loc) / self.scale
        return -0.5 * u * u - self.scale.log() - HALF_LOG_2PI

    def _count(self, x: Tensor) -> Tensor | None:
        if not self.layout.count:
            return None
        # Terms as large as x log x cancel. In float32 hundreds of nats would be lost by it.
        x, r, log_rate = x.double(), self.dispersion.double(), self.log_rate.double()
        log_r = r.log()
        log_total = torch.logaddexp(log_rate, log_r)
        ways = log_gamma(x + r) - log_gamma(r) - log_gamma(x + 1)
        each = ways + x * (log_rate - log_total) + r * (log_r - log_total)
        return each.to(self.log_rate.dtype)

    def _levels(self, codes: Tensor) -> Tensor | None:
        if not self.layout.levels:
            return None
        member, logits = self.index.member.to(self.logits.dtype), self.logits
        is_level = codes.index_select(-1, self.index.column) == self.index.code
        chosen = (logits * is_level) @ member
        return chosen - (logits.exp() @ member).log()

    def probabilities(self) -> Float[Tensor, "*batch L"]:
        """Return the probability of each level within its column, for all columns side by side."""
        member = self.index.member.to(self.logits.dtype)
        weights = self.logits.exp()
        return weights / ((weights @ member) @ member.T)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*shape D"]:
        """Draw every cell; none is missing."""
        shape = torch.Size(sample_shape)
        parts = []
        if self.layout.real:
            parts.append(dist.Normal(self.loc, self.scale).sample(shape))
        if self.layout.count:
            r = self.dispersion.expand_as(self.log_rate)
            rate = dist.Gamma(r, r / self.log_rate.exp()).sample(shape)
            parts.append(torch.poisson(rate))
        if self.layout.levels:
            uniform = torch.rand(*shape, *self.logits.shape).to(self.logits)
            noisy = self.logits - (-uniform.clamp(1e-30).log()).clamp(min=1e-30).log()
            parts.append(self._best(noisy))
        return self._ordered(parts)

    @torch.no_grad()
    def icdf(self, value: Float[Tensor, "*value D"]) -> Float[Tensor, "*shape D"]:
        """Turn a uniform number for each cell into a draw of it, by inverse distribution functions.

        Args:
            value: numbers in the open unit interval.
        """
        real, count, levels = (
            value.index_select(-1, places)
            for places in (self.index.reals, self.index.counts, self.index.levels)
        )
        codes = [
            (share.cumsum(-1)[..., :-1] <= levels[..., i : i + 1]).sum(-1, keepdim=True)
            for i, share in enumerate(self._by_column(self.probabilities()))
        ]
        parts = [
            self.loc + self.scale * torch.special.ndtri(real),
            self._count_quantile(count),
            *(code.to(value.dtype) for code in codes),
        ]
        return self._ordered(parts)

    def _count_quantile(self, uniform: Tensor) -> Tensor:
        from scipy.stats import nbinom

        r = self.dispersion.double()
        arguments = torch.broadcast_tensors(uniform.double(), r, r / (r + self.log_rate.exp()))
        found = nbinom.ppf(*(a.cpu().numpy() for a in arguments))
        return torch.as_tensor(found).to(uniform)

    @property
    def mean(self) -> Float[Tensor, "*batch D"]:
        """Return the mean of each number and count, and the likeliest code of each level."""
        return self.joined(self.loc, self.log_rate.exp(), self.logits)

    def joined(
        self,
        loc: Float[Tensor, "*batch R"],
        rate: Float[Tensor, "*batch C"],
        scores: Float[Tensor, "*batch L"],
    ) -> Float[Tensor, "*batch D"]:
        """Put numbers, counts and the codes with the highest scores in the order of the table."""
        return self._ordered([loc, rate, self._best(scores)])

    def _ordered(self, parts: Sequence[Tensor]) -> Tensor:
        """Join the cells of real columns, counts and levels, in the order of the table."""
        shape = torch.broadcast_shapes(*(p.shape[:-1] for p in parts))
        each = torch.cat([p.expand(*shape, p.shape[-1]) for p in parts], -1)
        return each.index_select(-1, self.index.order)

    def _best(self, scores: Tensor) -> Tensor:
        """Return the code with the highest score in each column of levels."""
        parts = self._by_column(scores)
        codes = [p.argmax(-1, keepdim=True).to(scores.dtype) for p in parts]
        return torch.cat(codes, -1) if codes else scores[..., :0]

    def _by_column(self, each: Tensor) -> tuple[Tensor, ...]:
        """Split a number for each level by the columns of levels."""
        return each.split(self.layout.sizes, -1) if self.layout.sizes else ()
