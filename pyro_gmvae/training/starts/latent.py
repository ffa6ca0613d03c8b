"""Clusters in the latent space of a plain VAE, trained for a short while.

k-means or a Gaussian mixture of the mean latents; or a mixture of a UMAP of them, which is the N2D
of McConville et al. 2019, arXiv 1908.05968.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from importlib.util import find_spec
from math import ceil

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import GMVAE, GenerativeModel, MarginalGMVAE
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training.loop import fit
from pyro_gmvae.training.reporters import Record, Reporter
from pyro_gmvae.training.starts.classical import LOOKED_AT, drawn_rows
from pyro_gmvae.training.starts.data import kmeans_clusters, mixed
from pyro_gmvae.training.starts.rows import Rows

__all__ = ["latent_kmeans", "latent_mixture", "latent_umap", "latents", "require_umap"]

MIN_STEPS = 300  # of the VAE: what a small table takes to fill its latent space
NEIGHBOURS, MOST_AXES = 20, 10  # of UMAP; N2D has as many axes as clusters


def latent_kmeans(rows: Rows) -> Int64[Tensor, " N"]:
    """The strategy ``"latent-kmeans"``."""
    return kmeans_clusters(latents(rows), rows.n_clusters, seed=rows.seed)


def latent_mixture(rows: Rows) -> Float[Tensor, "N K"]:
    """The strategy ``"latent-mixture"``: the responsibilities of a Gaussian mixture."""
    return mixed(latents(rows).double().numpy(), rows)


def latent_umap(rows: Rows) -> Float[Tensor, "N K"]:
    """The strategy ``"latent-umap"``: those of a mixture of a UMAP of the mean latents.

    Raises:
        InputError: if umap-learn is not installed.
    """
    require_umap()
    points = latents(rows).numpy()
    import umap  # not before it is needed: that takes seconds

    mapped = umap.UMAP(
        n_components=min(max(2, rows.n_clusters), MOST_AXES),
        n_neighbors=max(2, min(NEIGHBOURS, len(points) - 1)),
        min_dist=0.0,
        init="spectral" if len(points) > 2 * MOST_AXES else "random",
        random_state=rows.seed % 2**32,
        n_jobs=1,  # more would not be the same every time
    ).fit(points if len(points) <= LOOKED_AT else drawn_rows(points, rows.seed))
    return mixed(mapped.transform(points).astype(np.float64), rows)


def require_umap() -> None:
    """Refuse ``"latent-umap"`` before anything is trained.

    Raises:
        InputError: if umap-learn is not installed.
    """
    if find_spec("umap") is None:
        raise InputError('UMAP is not installed: pip install "pyro-gmvae[umap]"')


def latents(rows: Rows) -> Float[Tensor, "N Z"]:
    """The mean of z for each datum under a VAE with the networks of the model, on the CPU.

    The VAE is a GMVAE of one cluster, trained from new weights at the full KL for ``rows.epochs``
    or 300 steps, whichever is more.

    Raises:
        InputError: for a model with networks or a class of the user's own.
    """
    vae = _vae(rows.gmvae, rows.seed)
    steps_per_epoch = ceil(len(rows.x) / rows.config.batch_size)
    config = replace(
        rows.config,
        epochs=max(ceil(rows.epochs), ceil(MIN_STEPS / steps_per_epoch)),
        max_steps=max(ceil(rows.epochs * steps_per_epoch), MIN_STEPS),
        kl_annealing=Schedule(),
        z_kl_annealing=Schedule(),
        temperature=None,
        patience=None,
        compile=False,  # it is over before that would pay
        chunk_size=None,
    )
    fit(vae, rows.x, config, transform=rows.transform, reporters=[_Beginning(rows.reporters)])
    return rows.seen(lambda x: vae.posterior(x).mean)


def _vae(gmvae: GMVAE, seed: int) -> GMVAE:
    """A GMVAE of one cluster like ``gmvae``, its weights from the seed alone."""
    if gmvae.custom_networks or gmvae.model_class is not GenerativeModel:
        raise InputError(
            "a start in the latent space builds a VAE, and cannot build networks or a class of "
            "your own: begin by kmeans, or give initialize clusters that you found yourself"
        )
    kept = (
        "hidden",
        "likelihood",
        "network",
        *(["conv"] if gmvae.options["network"] == "conv" else []),
    )
    options = deepcopy({name: gmvae.options[name] for name in kept})
    with forked_rng(seed=seed):
        return MarginalGMVAE(gmvae.event_shape, 1, gmvae.latent_dim, **options)


class _Beginning(Reporter):
    """Tells others of a training that comes before theirs."""

    def __init__(self, others: Sequence[Reporter]) -> None:
        self.others = others
        self.share = 0.0

    def start(self, total_steps: int, history: list[Record]) -> None:
        self.total = total_steps

    def step(self, step: int) -> None:
        self.share = step / self.total
        for other in self.others:
            other.beginning(self.share)

    def close(self) -> None:
        if self.share < 1:  # it failed; else the others go on to the training itself
            for other in self.others:
                other.close()
