"""The small change of a datum that moves its responsibilities the most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["AdversarialPerturbation"]


@dataclass(frozen=True)
class AdversarialPerturbation:
    r"""x + d with the d of length ``radius`` that maximises KL(r(x) || r(x + d)), to first order.

    The direction is that of the divergence's gradient at a random point close by, which is one
    step of a power iteration for the largest eigenvector of its Hessian.

    Args:
        radius: Euclidean length of d, on model scale; a fraction of the distance between
            neighbouring data.
        probe: length of the random step to where the gradient is taken.

    Raises:
        ValueError: for a length that is not positive.

    Reference: Miyato et al. 2018, Virtual adversarial training, arXiv 1704.03976.
    """

    radius: float
    probe: float = 0.1

    def __post_init__(self) -> None:
        for name in ("radius", "probe"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    def __call__(
        self,
        x: Float[Tensor, "B *event"],
        log_responsibilities: Callable[[Tensor], Tensor],
        log_r: Float[Tensor, "B K"],
    ) -> Float[Tensor, "B *event"]:
        """The changed batch, which no gradient flows through."""
        log_r = log_r.detach()
        with torch.enable_grad():
            step = self.probe * unit(torch.randn_like(x))
            near = (x + step).detach().requires_grad_()
            divergence = (log_r.exp() * (log_r - log_responsibilities(near))).sum()
            (gradient,) = torch.autograd.grad(divergence, near)
        return (x + self.radius * unit(gradient)).detach()


def unit(d: Float[Tensor, "B *event"]) -> Float[Tensor, "B *event"]:
    """Each of length 1; one of length 0 stays."""
    flat = d.flatten(1)
    # By its largest entry first: the squares of small ones would vanish.
    flat = flat / flat.abs().amax(1, keepdim=True).clamp(min=torch.finfo(d.dtype).tiny)
    return (flat / flat.norm(dim=1, keepdim=True).clamp(min=1)).view_as(d)
