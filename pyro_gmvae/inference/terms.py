"""Hold an ELBO with its parts, and add up ELBOs that are computed in chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pyro_gmvae.inference.enumeration import Rows

__all__ = ["ELBOTerms", "summed_over_chunks"]


class ELBOTerms(NamedTuple):
    """Hold an ELBO and its parts, summed over the data and averaged over particles.

    Attributes:
        loss: minus the ELBO with every site at its scale; differentiable, zero-dimensional.
        sites: each site's contribution at scale 1, detached: the log-likelihood of an observed
            site, or minus the KL divergence of a latent site.

    >>> terms = ELBOTerms(torch.tensor(3.0), {"x": torch.tensor(-2.0), "z": torch.tensor(-1.0)})
    >>> terms.loss, sorted(terms.sites)
    (tensor(3.), ['x', 'z'])
    """

    loss: Tensor
    sites: dict[str, Tensor]


def summed_over_chunks(
    compute: Callable[..., ELBOTerms],
    chunks: Sequence[Rows | None],
    modules: Sequence[nn.Module],
    *args: Any,
    **kwargs: Any,
) -> ELBOTerms:
    """Add up ``compute(rows, *args, **kwargs)`` over chunks, in the memory of one chunk.

    If gradients are enabled, each chunk's gradient for the parameters of ``modules`` is computed
    at once and its activations are freed. The gradient of the returned loss is the sum of these.

    >>> layer = nn.Linear(1, 3, bias=False)
    >>> def compute(rows):
    ...     loss = layer.weight[rows].sum()
    ...     return ELBOTerms(loss, {"x": -loss.detach()})
    >>> chunks = [torch.tensor([0, 1]), torch.tensor([2])]
    >>> summed_over_chunks(compute, chunks, [layer]).loss.backward()
    >>> layer.weight.grad.flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    if len(chunks) == 1:
        return compute(chunks[0], *args, **kwargs)
    # Each parameter once: one that model and guide share has one gradient.
    parameters = dict.fromkeys(p for m in modules for p in m.parameters() if p.requires_grad)
    sites: dict[str, Tensor] = {}

    def loss(rows: Rows | None) -> Tensor:
        terms = compute(rows, *args, **kwargs)
        for name, value in terms.sites.items():
            sites[name] = sites[name] + value if name in sites else value
        return terms.loss

    if torch.is_grad_enabled():
        total = _Sum.apply([lambda rows=rows: loss(rows) for rows in chunks], *parameters)
    else:
        total = torch.stack([loss(rows) for rows in chunks]).sum()
    return ELBOTerms(total, sites)


class _Sum(torch.autograd.Function):
    """Add up losses, and differentiate each before the next is computed."""

    @staticmethod
    def forward(ctx: Any, losses: Sequence[Callable[[], Tensor]], *parameters: Tensor) -> Tensor:
        done, gradients = [], [torch.zeros_like(p) for p in parameters]
        for compute in losses:
            with torch.enable_grad():
                loss = compute()
                parts = torch.autograd.grad(loss, parameters, allow_unused=True)
            done.append(loss.detach())
            for gradient, part in zip(gradients, parts, strict=True):
                if part is not None:
                    gradient += part
        ctx.save_for_backward(*gradients)
        return torch.stack(done).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(grad_output * gradient for gradient in ctx.saved_tensors)
