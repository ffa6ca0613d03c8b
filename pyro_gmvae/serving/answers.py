"""Compute all that a fitted model says of rows by tensor operations alone."""

from __future__ import annotations

from typing import NamedTuple

import pyro.distributions as dist
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from pyro_gmvae.fitted import FittedModel

__all__ = ["AnswersOfRows", "RowAnswers"]


class RowAnswers(NamedTuple):
    """Hold what a model says of each row.

    Attributes:
        cluster: ``(N,)`` the likeliest cluster.
        responsibilities: ``(N, K)`` q(y|x).
        latent: ``(N, Z)`` the mean of z under q(z|x).
        elbo_at_mean: ``(N,)`` see `AnswersOfRows`, in nats, in the units of the rows.
    """

    cluster: Int[Tensor, " N"]
    responsibilities: Float[Tensor, "N K"]
    latent: Float[Tensor, "N Z"]
    elbo_at_mean: Float[Tensor, " N"]


class AnswersOfRows(nn.Module):
    r"""Map raw rows to clusters, latents and a score of how well the model explains a row.

    No value is drawn and no handler of Pyro is open, so that a row has the same answers in every
    program that runs the operations. The score stands for the lower bound of log p(x),

    .. math:: \sum_y r_y \Big(\log p(x | m_y) - \mathrm{KL}(q(z|x,y) \| p(z|y))\Big)
        - \mathrm{KL}(r \| p(y))

    with r = q(y|x) and m_y the mean of q(z|x,y). The ELBO has the mean of log p(x|z) over q(z|x,y)
    where this has log p(x|z) at the mean. Where log p(x|z) is concave in z, as for a decoder that
    is linear, the score is therefore the larger one, and may be above log p(x). It ranks rows, and
    needs one decoder pass a cluster; `FittedModel.log_likelihood` estimates log p(x).

    Images under a likelihood of zeros and ones are not binarised at random here. Their score is the
    mean over such binarisations of x.

    Args:
        fitted: the model.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]])
    >>> answers = AnswersOfRows(FittedModel(gmvae.eval(), TableEncoding.standardize(x)))(x)
    >>> [part.shape for part in answers]
    [torch.Size([2]), torch.Size([2, 3]), torch.Size([2, 1]), torch.Size([2])]
    """

    def __init__(self, fitted: FittedModel) -> None:
        super().__init__()
        self.gmvae, self.encoding = fitted.gmvae, fitted.encoding

    def forward(self, raw: Shaped[Tensor, "N *event"]) -> RowAnswers:
        model = self.gmvae.model
        x = self.encoding.encode_mean(raw).to(model.component_loc.dtype)
        q_z = self.gmvae.posterior(x)
        r = self.gmvae.responsibilities(x)
        score = self._elbo_at_mean(x, r, *_by_cluster(q_z)) + self.encoding.log_abs_det(raw)
        return RowAnswers(r.argmax(-1), r, q_z.mean, score)

    def _elbo_at_mean(self, x: Tensor, r: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        model = self.gmvae.model
        mu, sigma = model.components()
        log_p_x = model.p_x(loc).log_prob(x.unsqueeze(-1 - len(model.event_shape)))
        variance = (scale / sigma).square()
        kl_z = 0.5 * (variance + ((loc - mu) / sigma).square() - 1 - variance.log()).sum(-1)
        kl_y = torch.xlogy(r, r) - r * model.log_p_y()
        return (r * (log_p_x - kl_z) - kl_y).sum(-1)


def _by_cluster(q_z: dist.TorchDistribution) -> tuple[Tensor, Tensor]:
    """Return mean and scale of q(z|x,y), ``(N, K, Z)``; K is 1 if they do not depend on y."""
    if isinstance(q_z, dist.MixtureSameFamily):
        normal = q_z.component_distribution.base_dist
        return normal.loc, normal.scale
    return q_z.base_dist.loc.unsqueeze(-2), q_z.base_dist.scale.unsqueeze(-2)
