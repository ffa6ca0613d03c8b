"""Generate data from a model: samples, reconstructions and the means of its clusters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import pyro.distributions as dist
import torch
from jaxtyping import Float, Int, Num, Shaped
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation._batches import (
    Transform,
    default_batch_size,
    each_batch,
)
from pyro_gmvae.models import GMVAE
from pyro_gmvae.modes import eval_mode
from pyro_gmvae.process.alone import alone
from pyro_gmvae.process.memory import check_memory
from pyro_gmvae.ranges import MOST_ROWS, whole
from pyro_gmvae.rng import forked_rng

__all__ = ["cluster_means", "likeliest_mean", "reconstruct", "sample"]


@alone
def sample(
    gmvae: GMVAE,
    n: int,
    *,
    y: int | Int[Tensor, " n"] | None = None,
    mean: bool = True,
    covariates: Sequence[Tensor] = (),
    seed: int = 0,
) -> tuple[Num[Tensor, "n *event"], Int[Tensor, " n"]]:
    """Draw from the discrete model: first y, then z given y, then x given z.

    Args:
        gmvae: a model of any method; clusters are one-hot in the Concrete method too.
        n: number of draws.
        y: a cluster for all draws, or one for each; drawn from p(y) if None.
        mean: return E[x|z], as pictures are shown, instead of a draw from p(x|z).
        covariates: further arguments of the model, n rows each; without those of p(y|w) clusters
            are drawn from p(y).
        seed: fixes every draw.

    Returns:
        x, shape ``(n, *event)``, and the clusters, shape ``(n,)``, on the CPU.

    Raises:
        InputError: if n is below 1 or so many draws do not fit into memory, for a cluster that the
            model does not have, or clusters or covariates of another length.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> x, clusters = sample(ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)), 6, y=2)
    >>> x.shape, clusters
    (torch.Size([6, 4]), tensor([2, 2, 2, 2, 2, 2]))
    """
    n = whole("n", n, least=1, most=MOST_ROWS)
    # Beside the draws of x there are those of z, and the clusters as ints and one-hot.
    numbers = 2 * prod(gmvae.event_shape) + 2 * gmvae.latent_dim + 3 * gmvae.n_components
    check_memory(4 * n * numbers, f"{n} draws", "draw fewer at a time")
    if any(len(c) != n for c in covariates):
        raise InputError(f"Every covariate needs one row for each of the {n} draws.")
    model, like = gmvae.model, gmvae.model.component_loc
    with eval_mode(gmvae), forked_rng(like.device, seed=seed):
        if y is None:
            logits = model.log_p_y(*(c.to(like.device) for c in model.covariates_of_y(covariates)))
            clusters = dist.Categorical(logits=logits).sample((n,) if logits.dim() == 1 else ())
        else:
            clusters = torch.as_tensor(y, device=like.device).long()
            if clusters.shape not in {(), (1,), (n,)}:
                raise InputError(f"y needs one cluster for each of the {n} draws, or one for all.")
            clusters = clusters.expand(n)
            if not ((clusters >= 0) & (clusters < gmvae.n_components)).all():
                raise InputError(f"The model's clusters are 0 to {gmvae.n_components - 1}.")
        z = model.p_z(one_hot(clusters, gmvae.n_components).to(like.dtype)).sample()
        parts = []
        size = default_batch_size(gmvae)
        for start in range(0, n, size):
            rows = slice(start, start + size)
            of_x = model.covariates_of_x(covariates)
            p_x = model.p_x(z[rows], *(c[rows].to(like.device) for c in of_x))
            parts.append((p_x.mean if mean else p_x.sample()).cpu())
    return torch.cat(parts), clusters.cpu()


@alone
def cluster_means(gmvae: GMVAE, *covariates: Tensor) -> Float[Tensor, "K *event"]:
    """Decode the mean of each cluster: compute E[x | z = mu_y] for each y, on the CPU.

    Args:
        gmvae: a model of any method.
        covariates: further arguments of the model's `p_x`, K rows each.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> cluster_means(gmvae).shape  # one picture of four pixels for each cluster
    torch.Size([3, 4])
    """
    like = gmvae.model.component_loc
    with eval_mode(gmvae):
        clusters = torch.eye(gmvae.n_components, dtype=like.dtype, device=like.device)
        z = gmvae.model.p_z(clusters).mean
        return gmvae.model.p_x(z, *(c.to(like.device) for c in covariates)).mean.cpu()


@alone
def reconstruct(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Float[Tensor, "N *model_event"]:
    """Reconstruct data: compute E[x|z] at the mean of q(z|x,y) for the likeliest y, on the CPU.

    The mean of q(z|x) itself may lie between two clusters, where there are no data.

    Args:
        gmvae, x, transform, batch_size, seed: as in `pyro_gmvae.evaluation.responsibilities`.
        covariates: further arguments of the guide and of the model's `p_x`, N rows each.

    Raises:
        InputError: for data that do not fit the model.
        ValueError: if ``batch_size`` is below 1.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> reconstruct(gmvae, torch.ones(8, 4)).shape
    torch.Size([8, 4])
    """

    def decode(batch: Tensor, *given: Tensor) -> Tensor:
        z = likeliest_mean(gmvae.posterior(batch, *given))
        return gmvae.model.p_x(z, *gmvae.model.covariates_of_x(given)).mean

    return each_batch(decode, gmvae, x, covariates, transform, batch_size, seed)


def likeliest_mean(q_z: dist.TorchDistribution) -> Float[Tensor, "B Z"]:
    """Return the mean of q(z|x,y) for the likeliest y, where q(z|x) is a mixture, else its mean.

    >>> weights = dist.Categorical(torch.tensor([[0.9, 0.1]]))
    >>> means = torch.tensor([[[0.0], [10.0]]])
    >>> q_z = dist.MixtureSameFamily(weights, dist.Normal(means, 1.0).to_event(1))
    >>> q_z.mean, likeliest_mean(q_z)
    (tensor([[1.]]), tensor([[0.]]))
    """
    if not isinstance(q_z, dist.MixtureSameFamily):
        return q_z.mean
    means = q_z.component_distribution.mean
    likeliest = q_z.mixture_distribution.probs.argmax(-1)
    return means[torch.arange(len(means), device=means.device), likeliest]
