"""Clusters numbered as labels are."""

from __future__ import annotations

from jaxtyping import Int64, Shaped
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.evaluation._batches import Transform
from pyro_gmvae.evaluation.latents import responsibilities
from pyro_gmvae.evaluation.stability import best_matching
from pyro_gmvae.models import GMVAE, reorder_components

__all__ = ["number_as"]


def number_as(
    labels: Int64[Tensor, " N"],
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    transform: Transform | None = None,
) -> None:
    """Renumber the clusters in place: each label gets the one that most of its rows are in.

    One to one, so that a training with these labels goes on where it was.

    Args:
        labels: of the rows, -1 where unknown; one is known at least, all are below K.
        gmvae: one with the built-in networks.
        x, transform: as of `responsibilities`.
    """
    known = labels >= 0
    found = responsibilities(gmvae, x[known], transform=transform)
    wanted = one_hot(labels[known], gmvae.n_components).to(found.dtype)
    reorder_components(gmvae, best_matching(wanted, found))
