"""No pass through a network for what does not count."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from jaxtyping import Float, Num
from pyro.poutine.messenger import Messenger
from torch import Tensor

from pyro_gmvae.distributions import SparseOneHotCategorical, Subset
from pyro_gmvae.inference.enumeration import enumerate_dim

__all__ = ["SkipUnscored"]


class SkipUnscored(Messenger):
    """Infers z and meets x for those values of a sparse support, and those data, that count.

    Held around the guide and then the model: the guide draws the subset for which the drawn value
    counts (see `pyro_gmvae.distributions.SparseOneHotCategorical`), and the networks after that get
    no other rows of it. The ELBO is the same without it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.packing: PackedRows | None = None

    def _pyro_post_sample(self, msg: Any) -> None:
        q = msg["fn"]
        enumerated = isinstance(q, SparseOneHotCategorical) and enumerate_dim(msg) is not None
        if enumerated and q.subset is not None:
            self.packing = PackedRows(q.subset, msg["value"].shape[:-1])

    def _pyro_inferred(self, msg: Any) -> None:
        head, features, y = msg["args"]
        if self.packing is not None and self.packing.holds(y):
            output = head(self.packing.of_data(features, 1), self.packing.of_support(y))
            msg["value"] = tuple(self.packing.unpack(part) for part in output)
            msg["done"] = True

    def _pyro_observation(self, msg: Any) -> None:
        p_x, z, *covariates = msg["args"]
        if self.packing is not None and self.packing.holds(z):
            packed = [self.packing.of_data(c, c.dim() - 1) for c in covariates]
            base = p_x(self.packing.of_support(z), *packed)
            msg["value"] = _Packed(base, self.packing)
            msg["done"] = True


class PackedRows:
    """The rows that count, in one dimension: those of the likely values, then the subset's.

    By index throughout: a concatenation of parts would not be vectorised by the compiler.

    Args:
        subset: of the drawn value, which is the last.
        shape: ``(m + 1, *batch)``.
    """

    def __init__(self, subset: Subset, shape: torch.Size) -> None:
        rows, self.shape = subset.rows, shape
        self.n_data = shape[1:].numel()
        n_likely, device = shape.numel() - self.n_data, rows.device
        firsts = torch.arange(0, self.n_data, shape[-1], device=device)
        drawn = (firsts.unsqueeze(-1) + rows).flatten()
        likely, data = (torch.arange(n, device=device) for n in (n_likely, self.n_data))
        self.index = torch.cat([likely, n_likely + drawn])
        self.data_index = torch.cat([*[data] * (shape[0] - 1), drawn])
        # Where the drawn value does not count, any figure serves: the likeliest value's. (Copied
        # into ``data`` itself, torch 2.14's compiler would change what was read from it above.)
        packed = torch.arange(n_likely, n_likely + len(drawn), device=device)
        places = torch.zeros_like(data).index_copy(0, drawn, packed)
        self.source = torch.cat([likely, torch.where(places > 0, places, data)])

    def holds(self, value: Tensor) -> bool:
        """Whether it has a row for every value of the support."""
        return value.shape[:-1] == self.shape

    def of_support(self, z: Float[Tensor, "support *batch Z"]) -> Float[Tensor, "rows Z"]:
        """What there is of every value and datum, of those that count."""
        return z.reshape(-1, z.shape[-1]).index_select(0, self.index)

    def of_data(
        self, x: Num[Tensor, "*batch_and_event"], event_dim: int
    ) -> Num[Tensor, "rows *event"]:
        """The same of what does not depend on the value, shape ``(*batch, *event)``."""
        event = x.shape[x.dim() - event_dim :]
        x = x.expand(*self.shape[1:], *event).reshape(self.n_data, *event)
        return x.index_select(0, self.data_index)

    def unpack(self, values: Float[Tensor, "rows *rest"]) -> Float[Tensor, "support *batch_rest"]:
        """The inverse."""
        return values.index_select(0, self.source).view(*self.shape, *values.shape[1:])


class _Packed(dist.TorchDistribution):
    """A distribution of packed rows, to whom asks like that of the whole support.

    Args:
        base: batch shape ``(rows,)``.
        packing: of the rows.
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(self, base: dist.TorchDistribution, packing: PackedRows) -> None:
        super().__init__(packing.shape, base.event_shape, validate_args=False)
        self.base = base
        self.packing = packing

    @property
    def support(self) -> Any:
        return self.base.support

    def log_prob(self, value: Num[Tensor, "*batch_and_event"]) -> Float[Tensor, "support *batch"]:
        packed = self.packing.of_data(value, len(self.event_shape))
        return self.packing.unpack(self.base.log_prob(packed))
