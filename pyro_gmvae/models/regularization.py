"""Regularise the responsibilities so that clusters are consistent, balanced and confident."""

from __future__ import annotations

from collections.abc import Callable

import pyro
import torch
from jaxtyping import Float
from torch import Tensor, nn

from pyro_gmvae.models.adversarial import AdversarialPerturbation
from pyro_gmvae.ranges import real

__all__ = ["PENALTIES", "Regularizer"]

PENALTIES = ("consistency", "balance", "confidence")  # the names of the penalties' sites

LogResponsibilities = Callable[[Tensor], Tensor]
Transformation = Callable[[Tensor], Tensor]


class Regularizer(nn.Module):
    r"""Maximise information with self-augmentation, by factors in the guide.

    Let r(x) be the responsibilities of the method, r-bar their mean over the batch, and T a random
    transformation that should not change a datum's cluster. The objective is reduced, per datum, by

    .. math::
        \lambda_c\, KL(r(x) \| r(T x)) + \lambda_b\, KL(\bar r \| p(y)) + \lambda_s\, H(r(x))

    The likelihood alone does not favour the clusters that people would see. These three penalties
    do: data that look the same get the same cluster, no cluster is empty, and each datum has one
    clear cluster. They act in training mode only and are reported apart from the ELBO.

    Args:
        transform: T, maps ``(B, *event)`` on model scale to the same; draws from torch's global
            generators. An `AdversarialPerturbation` is given the responsibilities as well.
        more: further transformations; each has a consistency penalty of its own at full weight.
        consistency: lambda_c, in nats per nat.
        balance: lambda_b. The penalty draws the mean towards p(y), so learn p(y) if clusters
            differ in size.
        confidence: lambda_s.

    Raises:
        InputError: for a negative weight, or one that is not finite.

    Reference: Hu et al. 2017, Learning discrete representations via information maximizing
    self-augmented training, arXiv 1702.08720.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> gmvae.regularize(Regularizer(lambda x: x + 0.1 * torch.randn_like(x), balance=30.0))
    >>> gmvae.regularizer.weights
    {'consistency': 50.0, 'balance': 30.0, 'confidence': 15.0}
    """

    def __init__(
        self,
        transform: Transformation | AdversarialPerturbation,
        *more: Transformation | AdversarialPerturbation,
        consistency: float = 50.0,
        balance: float = 60.0,
        confidence: float = 15.0,
    ) -> None:
        super().__init__()
        given = {"consistency": consistency, "balance": balance, "confidence": confidence}
        self.weights = {name: real(name, weight, least=0) for name, weight in given.items()}
        self.transforms = (transform, *more)

    def forward(
        self,
        log_responsibilities: LogResponsibilities,
        x: Float[Tensor, "B *event"],
        log_r: Float[Tensor, "B K"],
        log_p_y: Float[Tensor, " K"],
    ) -> None:
        """Add the penalties as factors; call it inside the plate of the data.

        Args:
            log_responsibilities: computes log r of any data.
            x: the batch.
            log_r: log r of ``x``.
            log_p_y: log p(y).
        """
        for name, penalty in self.penalties(log_responsibilities, x, log_r, log_p_y).items():
            # The ELBO subtracts a guide's log-density, so a penalty is a positive factor.
            pyro.factor(name, self.weights[name] * penalty, has_rsample=True)

    def penalties(
        self,
        log_responsibilities: LogResponsibilities,
        x: Float[Tensor, "B *event"],
        log_r: Float[Tensor, "B K"],
        log_p_y: Float[Tensor, " K"],
    ) -> dict[str, Float[Tensor, " B"]]:
        """Compute the three penalties of each datum, unweighted, in nats.

        Args:
            log_responsibilities, x, log_r, log_p_y: as in `forward`.
        """
        r = log_r.exp()
        consistency = torch.zeros_like(r[:, 0])
        for transform in self.transforms:
            if isinstance(transform, AdversarialPerturbation):
                moved = transform(x, log_responsibilities, log_r)
            else:
                with torch.no_grad():
                    moved = transform(x)
            consistency = consistency + (r * (log_r - log_responsibilities(moved))).sum(-1)
        mean = r.mean(0)
        log_mean = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
        return {
            "consistency": consistency,
            "balance": (mean * (log_mean - log_p_y)).sum(-1).expand(len(r)),
            "confidence": -(r * log_r).sum(-1),
        }
