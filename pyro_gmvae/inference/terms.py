"""An ELBO with its parts, and the sum of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pyro_gmvae.inference.enumeration import Rows

__all__ = ["ELBOTerms", "summed_over_chunks"]


class ELBOTerms(NamedTuple):
    """An ELBO and where it comes from, each summed over the data and averaged over particles.

    Attributes:
        loss: minus the ELBO with every site at its scale; differentiable, zero-dimensional.
        sites: each site's contribution at scale 1, detached: the log-likelihood of an observed
            site, minus the KL divergence of a latent one.
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
    """The sum of ``compute(rows, *args, **kwargs)``, in the memory that one of them takes.

    Where gradients are wanted each chunk's, for the parameters of ``modules``, is taken at once
    and its activations let go; the loss returned hands their sum on.
    """
    if len(chunks) == 1:
        return compute(chunks[0], *args, **kwargs)
    # Each once: one that model and guide share has one gradient.
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
    """Adds up losses, each one differentiated before the next is computed."""

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
