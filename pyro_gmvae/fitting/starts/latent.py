"""Begin near clusters in the latent space of a plain VAE, trained for a short while.

The clusters are k-means or a Gaussian mixture of the mean latents, or a mixture of a UMAP of them,
which is the N2D of McConville et al. 2019, arXiv 1908.05968.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from math import ceil

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.starts.context import StartContext, StartProgress
from pyro_gmvae.fitting.starts.raw_data import kmeans_clusters, mixture_responsibilities
from pyro_gmvae.fitting.starts.registry import check_start
from pyro_gmvae.fitting.starts.sklearn_fits import FITTED_ROWS, drawn_rows
from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import GMVAE, GenerativeModel, MarginalGMVAE
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training import fit

__all__ = ["latent_kmeans", "latent_mixture", "latent_umap", "latents"]

MIN_STEPS = 300  # steps that the VAE of a small table takes to fill its latent space
NEIGHBOURS, MOST_AXES = 20, 10  # settings of UMAP; N2D has as many axes as clusters


def latent_kmeans(context: StartContext) -> Int64[Tensor, " N"]:
    """Find the clusters of the start ``"latent-kmeans"``.

    >>> from pyro_gmvae.fitting.starts.registry import start_by_name
    >>> start_by_name("latent-kmeans") is latent_kmeans
    True
    """
    return kmeans_clusters(
        latents(context), context.n_clusters, seed=context.seed, weights=context.weights
    )


def latent_mixture(context: StartContext) -> Float[Tensor, "N K"]:
    """Find the responsibilities of the start ``"latent-mixture"``, a Gaussian mixture.

    >>> from pyro_gmvae.fitting.starts.registry import start_by_name
    >>> start_by_name("latent-mixture") is latent_mixture
    True
    """
    return mixture_responsibilities(latents(context).double().numpy(), context)


def latent_umap(context: StartContext) -> Float[Tensor, "N K"]:
    """Find the responsibilities of the start ``"latent-umap"``, a mixture of a UMAP of the latents.

    Raises:
        InputError: if umap-learn is not installed.

    >>> from pyro_gmvae.fitting.starts.registry import start_by_name
    >>> start_by_name("latent-umap") is latent_umap
    True
    """
    check_start("latent-umap", regularized=False)
    points = latents(context).numpy()
    import umap  # imported only where it is needed, for that takes seconds

    mapped = umap.UMAP(
        n_components=min(max(2, context.n_clusters), MOST_AXES),
        n_neighbors=max(2, min(NEIGHBOURS, len(points) - 1)),
        min_dist=0.0,
        init="spectral" if len(points) > 2 * MOST_AXES else "random",
        random_state=context.seed % 2**32,
        n_jobs=1,  # with more jobs the result would vary
    ).fit(points if len(points) <= FITTED_ROWS else drawn_rows(points, context.seed))
    return mixture_responsibilities(mapped.transform(points).astype(np.float64), context)


def latents(context: StartContext) -> Float[Tensor, "N Z"]:
    """Find the mean of z for each datum under a VAE with the networks of the model, on the CPU.

    The VAE is a GMVAE of one cluster, trained from new weights at the full KL for ``epochs``
    or 300 steps, whichever is more.

    Raises:
        InputError: for a model with networks or a class of the user's own.

    >>> from torch import nn
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), encoder=nn.Linear(2, 4))
    >>> latents(StartContext(gmvae, torch.zeros(20, 2), TrainConfig()))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: a start in the latent space builds a VAE, and cannot build...
    """
    vae = _vae(context.gmvae, context.seed)
    steps_per_epoch = ceil(len(context.x) / context.config.batch_size)
    config = replace(
        context.config,
        epochs=max(ceil(context.epochs), ceil(MIN_STEPS / steps_per_epoch)),
        max_steps=max(ceil(context.epochs * steps_per_epoch), MIN_STEPS),
        kl_annealing=Schedule(),
        z_kl_annealing=Schedule(),
        temperature=None,
        patience=None,
        compile=False,  # so short a training gains nothing by it
        chunk_size=None,
    )
    fit(
        vae,
        context.x,
        config,
        weights=context.weights,
        transform=context.transform,
        reporters=[StartProgress(context.reporters)],
    )
    return context.encoded(lambda x: vae.posterior(x).mean)


def _vae(gmvae: GMVAE, seed: int) -> GMVAE:
    """Make a GMVAE of one cluster like ``gmvae``, its weights from the seed alone."""
    if gmvae.custom_networks or gmvae.model_class is not GenerativeModel:
        raise InputError(
            "a start in the latent space builds a VAE, and cannot build networks or a class of "
            "your own: begin by kmeans, or give imitate clusters that you found yourself"
        )
    kept = (
        "hidden",
        "likelihood",
        "network",
        "table",
        *(["conv"] if gmvae.options["network"] == "conv" else []),
    )
    options = deepcopy({name: gmvae.options[name] for name in kept})
    with forked_rng(seed=seed):
        return MarginalGMVAE(gmvae.event_shape, 1, gmvae.latent_dim, **options)
