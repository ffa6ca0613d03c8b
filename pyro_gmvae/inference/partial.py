"""Skip the networks for rows whose drawn cluster is not scored."""

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
    """Compute q(z|x,y) and p(x|z) only for the scored values and data of a sparse support.

    Use it as a context around the guide and then the model. The guide draws the subset of data for
    which the drawn value is scored (see `pyro_gmvae.distributions.SparseOneHotCategorical`); the
    networks after that skip the other rows of the drawn value. The ELBO is the same without this
    handler.

    >>> from pyro_gmvae.inference import TraceEnumMeanField_ELBO
    >>> from pyro_gmvae.models import SparseGMVAE
    >>> gmvae = SparseGMVAE(4, n_components=5, latent_dim=2, hidden=(5,), drawn_share=0.25).train()
    >>> elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)  # it uses the handler
    >>> rows = []
    >>> hook = gmvae.model.decoder.register_forward_hook(lambda *call: rows.append(len(call[2])))
    >>> terms = elbo.terms(gmvae.model, gmvae.guide, torch.ones(8, 4))
    >>> rows  # the likeliest cluster of all eight data, and the drawn one of two
    [10]
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
        if self.packing is not None and self.packing.covers(y):
            output = head(self.packing.pack_data(features, 1), self.packing.pack_support(y))
            msg["value"] = tuple(self.packing.unpack(part) for part in output)
            msg["done"] = True

    def _pyro_observation(self, msg: Any) -> None:
        p_x, z, *covariates = msg["args"]
        if self.packing is not None and self.packing.covers(z):
            packed = [self.packing.pack_data(c, c.dim() - 1) for c in covariates]
            base = p_x(self.packing.pack_support(z), *packed)
            msg["value"] = _Packed(base, self.packing)
            msg["done"] = True


class PackedRows:
    """Arrange the scored rows in one dimension: first the likely values, then the drawn value.

    Rows are selected by index throughout, because the compiler does not vectorise a concatenation
    of parts.

    Args:
        subset: the data for which the drawn value, the last of the support, is scored.
        shape: shape of the support's values, ``(m + 1, *batch)``.

    >>> drawn = Subset(torch.tensor([0, 3]), torch.ones(2))  # scored for two of four data
    >>> packing = PackedRows(drawn, torch.Size([2, 4]))  # the likeliest value and the drawn one
    >>> z = torch.arange(8.0).view(2, 4, 1)
    >>> packing.pack_support(z).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 7.0]
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
        # Any figure will do where the drawn value is not scored: take that of the likeliest value.
        # (A copy into ``data`` itself would let torch 2.14's compiler change what was read above.)
        packed = torch.arange(n_likely, n_likely + len(drawn), device=device)
        places = torch.zeros_like(data).index_copy(0, drawn, packed)
        self.source = torch.cat([likely, torch.where(places > 0, places, data)])

    def covers(self, value: Tensor) -> bool:
        """Return True if ``value`` has a row for every value of the support and every datum."""
        return value.shape[:-1] == self.shape

    def pack_support(self, z: Float[Tensor, "support *batch Z"]) -> Float[Tensor, "rows Z"]:
        """Select the scored rows of a tensor that depends on the value and the datum."""
        return z.reshape(-1, z.shape[-1]).index_select(0, self.index)

    def pack_data(
        self, x: Num[Tensor, "*batch_and_event"], event_dim: int
    ) -> Num[Tensor, "rows *event"]:
        """Select the scored rows of a tensor that depends on the datum only.

        Args:
            x: the tensor, shape ``(*batch, *event)``.
            event_dim: the number of its event dimensions.
        """
        event = x.shape[x.dim() - event_dim :]
        x = x.expand(*self.shape[1:], *event).reshape(self.n_data, *event)
        return x.index_select(0, self.data_index)

    def unpack(self, values: Float[Tensor, "rows *rest"]) -> Float[Tensor, "support *batch_rest"]:
        """Put the scored rows back into the shape of the support."""
        return values.index_select(0, self.source).view(*self.shape, *values.shape[1:])


class _Packed(dist.TorchDistribution):
    """Present a distribution of packed rows as one of the whole support.

    Args:
        base: the distribution of the packed rows, batch shape ``(rows,)``.
        packing: the arrangement of the rows.
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
        packed = self.packing.pack_data(value, len(self.event_shape))
        return self.packing.unpack(self.base.log_prob(packed))
