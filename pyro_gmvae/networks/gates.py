"""Say which clusters a style lies in, and mix the parameters of those clusters.

Where there are many clusters, a style is near few of them: p(y|z) of the others is 0 in all digits.
Mixing the nearest ones alone keeps the cost of a decoder flat in K.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

__all__ = ["FEW", "NEAREST", "Gates", "nearest_clusters"]

FEW = 16  # up to so many clusters one matrix product over all of them is as fast
NEAREST = 4
SUM = 0  # the number of this mode in torch


class Gates(NamedTuple):
    """Hold, for B styles, the G clusters that a decoder mixes.

    Attributes:
        p_y: p(y|z) of these clusters, shape ``(B, G)``; each row sums to 1.
        u: :math:`(z - \\mu_y) / \\sigma_y`, shape ``(B, G, Z)``.
        which: the clusters, shape ``(B, G)``; None if they are all K, in order.

    >>> gates = Gates(torch.tensor([[0.75, 0.25]]), torch.ones(1, 2, 1), torch.tensor([[2, 0]]))
    >>> gates.mix(torch.tensor([[4.0], [0.0], [8.0]]))
    tensor([[7.]])
    """

    p_y: Tensor
    u: Tensor
    which: Tensor | None = None

    def mix(self, parameters: Float[Tensor, "K n"]) -> Float[Tensor, "B n"]:
        r"""Compute :math:`\sum_y p(y|z) a_y` of parameters a."""
        if self.which is None:
            return self.p_y @ parameters
        return _sum_rows(parameters, self.which, self.p_y)

    def mix_styles(self, loading: Float[Tensor, "K Z n"]) -> Float[Tensor, "B n"]:
        r"""Compute :math:`\sum_y p(y|z) W_y^T u_y` of loadings W."""
        weighted, rows = self.weighted.flatten(-2), loading.flatten(0, 1)
        if self.which is None:
            return weighted @ rows
        each = torch.arange(loading.shape[1], device=rows.device)
        which = self.which.unsqueeze(-1) * len(each) + each
        return _sum_rows(rows, which.flatten(-2), weighted)

    @property
    def weighted(self) -> Float[Tensor, "B G Z"]:
        """Compute p(y|z) u_y."""
        return self.p_y.unsqueeze(-1) * self.u


def nearest_clusters(
    z: Float[Tensor, "B Z"],
    loc: Float[Tensor, "K Z"],
    scale: Float[Tensor, "K Z"],
    log_p_y: Float[Tensor, " K"],
) -> Int64[Tensor, "B G"]:
    """Find the `NEAREST` clusters by p(y|z), in no order; without a gradient.

    The quadratic form of a normal density is one matrix product. Its terms are large and cancel, so
    it is in double precision, which neither autocast nor TF32 shortens.

    >>> means = torch.arange(20.0).unsqueeze(-1)
    >>> found = nearest_clusters(torch.tensor([[7.6]]), means, torch.ones(20, 1), torch.zeros(20))
    >>> found.sort().values
    tensor([[6, 7, 8, 9]])
    """
    with torch.no_grad():
        z, loc, scale, log_p_y = z.double(), loc.double(), scale.double(), log_p_y.double()
        precision = scale**-2
        constant = log_p_y - scale.log().sum(-1) - 0.5 * (loc * loc * precision).sum(-1)
        linear = torch.cat([loc * precision, -0.5 * precision], -1)
        log_joint = torch.cat([z, z * z], -1) @ linear.T + constant
        return log_joint.topk(min(NEAREST, len(loc)), sorted=False).indices


def _sum_rows(
    table: Float[Tensor, "rows n"], which: Int64[Tensor, "B m"], weights: Float[Tensor, "B m"]
) -> Float[Tensor, "B n"]:
    """Sum rows of a table by weights, without a copy of the rows."""
    return _SumRows.apply(table, which.contiguous(), weights.contiguous())


class _SumRows(torch.autograd.Function):
    """Compute torch's `embedding_bag`, with a gradient in operations that inductor can compile."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, which: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(table, which, weights)
        return embedding_bag(which, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor]:
        table, which, weights = ctx.saved_tensors
        n, size = which.shape
        each = torch.arange(n, device=which.device)
        bag = each.unsqueeze(-1).expand(n, size).flatten()
        indices, gradient = which.flatten(), gradient.contiguous()
        of_table = torch.ops.aten._embedding_bag_dense_backward(
            gradient,
            indices,
            bag,
            torch.full_like(each, size),
            which.new_empty(0),
            len(table),
            False,
            SUM,
            weights.flatten(),
        )
        of_weights = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            gradient, table, indices, each * size, bag, SUM
        )
        return of_table, None, of_weights.view_as(weights)
