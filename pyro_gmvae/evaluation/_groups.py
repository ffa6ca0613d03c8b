"""Draw what an export to ArviZ holds: z and x from the posterior of data, and from the prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyro.distributions as dist
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.evaluation._batches import (
    Transform,
    data_batches,
    default_batch_size,
    keys_of,
    seed_of,
)
from pyro_gmvae.evaluation._draws import draw_z
from pyro_gmvae.models import GMVAE
from pyro_gmvae.modes import eval_mode
from pyro_gmvae.noise import RowNoise
from pyro_gmvae.rng import forked_rng

__all__ = ["posterior_draws", "prior_draws"]


def posterior_draws(
    gmvae: GMVAE,
    x: Tensor,
    num_draws: int,
    covariates: Sequence[Tensor],
    transform: Transform | None,
    keys: Sequence[int] | None,
    batch_size: int | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the data on model scale, draws of z from q(z|x), and a draw of x for each z.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> parts = posterior_draws(gmvae, torch.ones(8, 4), 6, (), None, None, None, seed=0)
    >>> [part.shape for part in parts]
    [(8, 4), (6, 8, 2), (6, 8, 4)]
    """
    if batch_size is None:
        batch_size = default_batch_size(gmvae, num_draws * gmvae.latent_dim)
    like = gmvae.model.component_loc
    parts = []
    with eval_mode(gmvae):
        for rows, batch, given in data_batches(
            gmvae, x, batch_size=batch_size, covariates=covariates, transform=transform, seed=seed
        ):
            noise = RowNoise(seed, keys_of(rows, keys), 1 + gmvae.latent_dim)
            z = draw_z(gmvae.posterior(batch, *given), noise.draw(num_draws, like))
            # A negative place gives another seed than those of the transform.
            with forked_rng(like.device, seed=seed_of(seed, -2 - rows.start)):
                x_new = gmvae.model.p_x(z, *gmvae.model.covariates_of_x(given)).sample()
            parts.append([t.cpu().numpy() for t in (batch, z, x_new)])
    observed, z_parts, x_parts = zip(*parts, strict=True)
    return np.concatenate(observed), np.concatenate(z_parts, 1), np.concatenate(x_parts, 1)


def prior_draws(
    gmvae: GMVAE,
    n: int,
    num_draws: int,
    covariates: Sequence[Tensor],
    *,
    batch_size: int | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return draws of the cluster, of z and of x from the model for each of n data.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> parts = prior_draws(gmvae, 8, 6, (), batch_size=None, seed=0)
    >>> [part.shape for part in parts]
    [(6, 8), (6, 8, 2), (6, 8, 4)]
    """
    if batch_size is None:
        batch_size = default_batch_size(gmvae, num_draws * gmvae.latent_dim)
    model, like = gmvae.model, gmvae.model.component_loc
    # The place -1 is that of no batch and of no transform.
    with eval_mode(gmvae), forked_rng(like.device, seed=seed_of(seed, -1)):
        every = [c.to(like.device) for c in covariates]
        logits = model.log_p_y(*model.covariates_of_y(every)).expand(n, -1)
        clusters = dist.Categorical(logits=logits).sample((num_draws,))
        z = model.p_z(one_hot(clusters, gmvae.n_components).to(like.dtype)).sample()
        x = []
        for start in range(0, n, batch_size):
            rows = slice(start, start + batch_size)
            given = [c[rows] for c in model.covariates_of_x(every)]
            x.append(model.p_x(z[:, rows], *given).sample().cpu())
    return clusters.cpu().numpy(), z.cpu().numpy(), torch.cat(x, 1).numpy()
