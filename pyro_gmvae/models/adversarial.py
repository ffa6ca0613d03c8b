"""Find the small change of a datum that changes its responsibilities the most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.ranges import real

__all__ = ["AdversarialPerturbation"]


@dataclass(frozen=True)
class AdversarialPerturbation:
    r"""Add the d of length ``radius`` that maximises KL(r(x) || r(x + d)), to first order.

    The direction of d is that of the divergence's gradient at a random point close to x. This is
    one step of a power iteration for the eigenvector of its Hessian with the largest eigenvalue.

    Args:
        radius: Euclidean length of d, on model scale; a fraction of the distance between
            neighbouring data.
        probe: length of the random step to the point where the gradient is computed.

    Raises:
        ValueError: for a length that is not positive.

    Reference: Miyato et al. 2018, Virtual adversarial training, arXiv 1704.03976.

    >>> def log_r(x):
    ...     return torch.stack([x[:, 0], -x[:, 0]], -1).log_softmax(-1)
    >>> x = torch.tensor([[0.5, 2.0]])  # the second entry does not matter to the cluster
    >>> moved = AdversarialPerturbation(radius=0.1)(x, log_r, log_r(x))
    >>> round((moved - x).norm().item(), 4), (moved - x)[0, 1].item()
    (0.1, 0.0)
    """

    radius: float
    probe: float = 0.1

    def __post_init__(self) -> None:
        for name in ("radius", "probe"):
            real(name, getattr(self, name), above=0)

    def __call__(
        self,
        x: Float[Tensor, "B *event"],
        log_responsibilities: Callable[[Tensor], Tensor],
        log_r: Float[Tensor, "B K"],
    ) -> Float[Tensor, "B *event"]:
        """Return the changed batch, without a gradient.

        Args:
            x: the batch.
            log_responsibilities: computes log r of any batch, shape ``(B, K)``.
            log_r: log r of ``x``.
        """
        log_r = log_r.detach()
        with torch.enable_grad():
            step = self.probe * unit_length(torch.randn_like(x))
            near = (x + step).detach().requires_grad_()
            divergence = (log_r.exp() * (log_r - log_responsibilities(near))).sum()
            (gradient,) = torch.autograd.grad(divergence, near)
        return (x + self.radius * unit_length(gradient)).detach()


def unit_length(d: Float[Tensor, "B *event"]) -> Float[Tensor, "B *event"]:
    """Scale each datum to Euclidean length 1; a datum of length 0 stays zero."""
    flat = d.flatten(1)
    # Divide by the largest entry first, because the squares of small entries underflow.
    flat = flat / flat.abs().amax(1, keepdim=True).clamp(min=torch.finfo(d.dtype).tiny)
    return (flat / flat.norm(dim=1, keepdim=True).clamp(min=1)).view_as(d)
