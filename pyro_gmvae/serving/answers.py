"""Compute all that a fitted model says of rows by tensor operations alone."""

from __future__ import annotations

from typing import Literal, NamedTuple

import pyro
import pyro.distributions as dist
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from pyro_gmvae.fitted import FittedModel

__all__ = ["AnswersOfRows", "ElboAt", "RowAnswers", "balanced_signs"]

ElboAt = Literal["points", "mean"]


class RowAnswers(NamedTuple):
    """Hold what a model says of each row.

    Attributes:
        cluster: ``(N,)`` the likeliest cluster.
        responsibilities: ``(N, K)`` q(y|x).
        latent: ``(N, Z)`` the mean of z under q(z|x).
        elbo: ``(N,)`` see `AnswersOfRows`, in nats, in the units of the rows.

    >>> q = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    >>> answers = RowAnswers(q.argmax(1), q, torch.zeros(2, 1), torch.tensor([-3.0, -4.0]))
    >>> answers.cluster.tolist()
    [0, 1]
    """

    cluster: Int[Tensor, " N"]
    responsibilities: Float[Tensor, "N K"]
    latent: Float[Tensor, "N Z"]
    elbo: Float[Tensor, " N"]


class AnswersOfRows(nn.Module):
    r"""Map raw rows to clusters, latents and the lower bound of log p(x).

    No value is drawn and no handler of Pyro is open, so that a row has the same answers in every
    program that runs the operations. With r = q(y|x), the lower bound is

    .. math:: \sum_y r_y \Big(\mathrm{E}_{q(z|x,y)} \log p(x|z)
        - \mathrm{KL}(q(z|x,y) \| p(z|y))\Big) - \mathrm{KL}(r \| p(y))

    The expectation is the mean over points one standard deviation from the mean of q(z|x,y) along
    every axis, with signs that balance (see `balanced_signs`). It is exact where log p(x|z) is
    quadratic in z, as for normal columns with a linear decoder, and an approximation elsewhere. It
    takes from Z + 1 to 2 Z decoder passes a cluster. With ``elbo_at="mean"`` the mean of q(z|x,y)
    is the only point. That takes one pass, and gives a larger number, which is no bound: where
    log p(x|z) is concave in z, it leaves out what the spread of z costs.

    Images under a likelihood of zeros and ones are not binarised at random here. Their bound is the
    mean over such binarisations of x.

    Args:
        fitted: the model.
        elbo_at: the points that p(x|z) is decoded at.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]])
    >>> answers = AnswersOfRows(FittedModel(gmvae.eval(), TableEncoding.standardize(x)))(x)
    >>> [part.shape for part in answers]
    [torch.Size([2]), torch.Size([2, 3]), torch.Size([2, 1]), torch.Size([2])]
    """

    points: Tensor

    def __init__(self, fitted: FittedModel, elbo_at: ElboAt = "points") -> None:
        super().__init__()
        fitted.given(None)  # refuses a model with covariates, which rows alone do not have
        self.gmvae, self.encoding = fitted.gmvae, fitted.encoding
        latent_dim = fitted.gmvae.latent_dim
        points = balanced_signs(latent_dim) if elbo_at == "points" else torch.zeros(1, latent_dim)
        self.register_buffer("points", points.to(fitted.gmvae.model.component_loc))

    def forward(self, raw: Shaped[Tensor, "N *event"]) -> RowAnswers:
        x = self.encoding.encode_mean(raw).to(self.points.dtype)
        q_z = self.gmvae.posterior(x)
        r = self.gmvae.responsibilities(x)
        elbo = self._elbo(x, r, *_by_cluster(q_z)) + self.encoding.log_abs_det(raw)
        return RowAnswers(r.argmax(-1), r, q_z.mean, elbo)

    def _elbo(self, x: Tensor, r: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        model = self.gmvae.model
        z = loc + scale * self.points[:, None, None]
        with pyro.validation_enabled(False):  # grey pixels are no bits
            log_p_x = model.p_x(z).log_prob(x.unsqueeze(-1 - len(model.event_shape))).mean(0)
        mu, sigma = model.components()
        variance = (scale / sigma).square()
        kl_z = 0.5 * (variance + ((loc - mu) / sigma).square() - 1 - variance.log()).sum(-1)
        kl_y = torch.xlogy(r, r) - r * model.log_p_y()
        return (r * (log_p_x - kl_z) - kl_y).sum(-1)


def balanced_signs(n: int) -> Float[Tensor, "points {n}"]:
    """Return points of which every axis has mean 0 and variance 1, and no two axes are correlated.

    They are ``n`` columns of Sylvester's Hadamard matrix of the least power of two above ``n``,
    without its column of ones. The mean of a quadratic function over them is its expectation under
    the standard normal distribution.

    >>> balanced_signs(2)
    tensor([[ 1.,  1.],
            [-1.,  1.],
            [ 1., -1.],
            [-1., -1.]])
    """
    bits = torch.arange(n.bit_length())
    row, column = torch.arange(2 ** len(bits)), torch.arange(1, n + 1)
    common = (row[:, None] & column).unsqueeze(-1) >> bits & 1
    return 1.0 - 2.0 * (common.sum(-1) % 2)


def _by_cluster(q_z: dist.TorchDistribution) -> tuple[Tensor, Tensor]:
    """Return mean and scale of q(z|x,y), ``(N, K, Z)``; K is 1 if they do not depend on y."""
    if isinstance(q_z, dist.MixtureSameFamily):
        normal = q_z.component_distribution.base_dist
        return normal.loc, normal.scale
    return q_z.base_dist.loc.unsqueeze(-2), q_z.base_dist.scale.unsqueeze(-2)
