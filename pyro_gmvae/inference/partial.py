"""No decoder pass for what does not count."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pyro.distributions as dist
import torch
from jaxtyping import Float, Num
from pyro.poutine.messenger import Messenger
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyro_gmvae.distributions import SparseOneHotCategorical, Subset
from pyro_gmvae.inference.enumeration import enumerate_dim

__all__ = ["observing_what_counts"]


def observing_what_counts(guide_trace: Trace) -> AbstractContextManager[Any]:
    """A context for the model, in which a drawn cluster meets x for its subset of the data alone.

    See `pyro_gmvae.distributions.SparseOneHotCategorical`. The ELBO is the same without it.
    """
    for site in guide_trace.nodes.values():
        q, dim = site.get("fn"), enumerate_dim(site) if site["type"] == "sample" else None
        if isinstance(q, SparseOneHotCategorical) and q.subset is not None and dim is not None:
            return _ObserveSubset(q.subset, dim)
    return nullcontext()


class _ObserveSubset(Messenger):
    """Asks p(x|z) of the last value of an enumerated support for a subset of the data.

    Args:
        subset: along the last batch dimension.
        dim: of the enumeration among the batch dimensions, from the right.
    """

    def __init__(self, subset: Subset, dim: int) -> None:
        super().__init__()
        self.subset = subset
        self.dim = dim

    def _pyro_observation(self, msg: Any) -> None:
        p_x, z, *covariates = msg["args"]
        if z.dim() == 1 - self.dim:  # enumerated
            packing = _Packing(self.subset, z.shape[:-1])
            packed = [packing.of_data(c, c.dim() - 1) for c in covariates]
            msg["value"] = _Packed(p_x(packing.of_support(z), *packed), packing)
            msg["done"] = True


class _Packing:
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
        drawn = n_likely + (firsts.unsqueeze(-1) + rows).flatten()
        likely = torch.arange(n_likely, device=device)
        self.index = torch.cat([likely, drawn])
        # Where the drawn value does not count, any figure serves: the likeliest value's.
        packed = torch.arange(n_likely, n_likely + len(drawn), device=device)
        source = torch.cat([likely, likely[: self.n_data]])
        self.source = source.index_copy(0, drawn, packed)

    def of_support(self, z: Float[Tensor, "support *batch Z"]) -> Float[Tensor, "rows Z"]:
        """Latents of every value and datum to those that count."""
        return z.reshape(-1, z.shape[-1]).index_select(0, self.index)

    def of_data(
        self, x: Num[Tensor, "*batch_and_event"], event_dim: int
    ) -> Num[Tensor, "rows *event"]:
        """The same of what does not depend on the value, shape ``(*batch, *event)``."""
        event = x.shape[x.dim() - event_dim :]
        x = x.expand(*self.shape[1:], *event).reshape(self.n_data, *event)
        return x.index_select(0, self.index % self.n_data)

    def unpack(self, values: Float[Tensor, " rows"]) -> Float[Tensor, "support *batch"]:
        """The inverse."""
        return values.index_select(0, self.source).view(self.shape)


class _Packed(dist.TorchDistribution):
    """A distribution of packed rows, to whom asks like that of the whole support.

    Args:
        base: batch shape ``(rows,)``.
        packing: of the rows.
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(self, base: dist.TorchDistribution, packing: _Packing) -> None:
        super().__init__(packing.shape, base.event_shape, validate_args=False)
        self.base = base
        self.packing = packing

    @property
    def support(self) -> Any:
        return self.base.support

    def log_prob(self, value: Num[Tensor, "*batch_and_event"]) -> Float[Tensor, "support *batch"]:
        packed = self.packing.of_data(value, len(self.event_shape))
        return self.packing.unpack(self.base.log_prob(packed))
