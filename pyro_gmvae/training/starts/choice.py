"""The strategies by name."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_gmvae.errors import InputError
from pyro_gmvae.models import Regularizer
from pyro_gmvae.training.initialization import MIN_STEPS, initialize
from pyro_gmvae.training.starts.classical import WIDE
from pyro_gmvae.training.starts.data import mixture_of_data, of_data
from pyro_gmvae.training.starts.latent import (
    latent_kmeans,
    latent_mixture,
    latent_umap,
    require_umap,
)
from pyro_gmvae.training.starts.rows import Clustering, Rows

__all__ = ["CLUSTERINGS", "STARTS", "begin_near", "start_by"]

CLUSTERINGS: dict[str, Clustering] = {
    "kmeans": of_data,
    "mixture": mixture_of_data,
    "latent-kmeans": latent_kmeans,
    "latent-mixture": latent_mixture,
    "latent-umap": latent_umap,
}
GAUSSIAN = ("gaussian", "gaussian_predicted")  # likelihoods
# Information begins with no clusters but makes them (see `pyro_gmvae.training.best_start`), random
# with none.
STARTS = ("auto", "information", *CLUSTERINGS, "random")


def start_by(
    name: str, regularizer: Regularizer | None, likelihood: str, event_shape: Sequence[int]
) -> str:
    """How a training begins: ``name``, or what ``"auto"`` stands for.

    That is ``"information"`` with a regulariser, else ``"mixture"`` for a table that is modelled
    by Gaussians and not too wide for a mixture, else ``"kmeans"``.

    Args:
        name: of `STARTS`.
        regularizer: that of the model, if it has one.
        likelihood: of the data, by name.
        event_shape: of a datum.

    Raises:
        InputError: for a start by information without a regulariser, or one by UMAP where it is
            not installed.
    """
    if name == "auto":
        if regularizer is not None:
            return "information"
        table = len(event_shape) == 1 and event_shape[0] <= WIDE
        return "mixture" if table and likelihood in GAUSSIAN else "kmeans"
    if name == "information" and regularizer is None:
        raise InputError(
            "initialization by information needs a regulariser: name its moves by regularize, or "
            "begin by kmeans"
        )
    if name == "latent-umap":
        require_umap()
    return name


def begin_near(name: str, rows: Rows, *, steps: int = MIN_STEPS) -> None:
    """Train the model of ``rows`` in place until it has the clusters that a strategy finds.

    Args:
        name: of `CLUSTERINGS`.
        rows: data and model.
        steps: as of `initialize`.

    Raises:
        InputError: for what the strategy refuses.
    """
    clusters = CLUSTERINGS[name](rows)
    initialize(rows.gmvae, rows.x, clusters, rows.config, transform=rows.transform, steps=steps)
