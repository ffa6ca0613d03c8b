"""Number clusters as labels are numbered."""

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
    """Renumber the clusters in place, so that most rows of a label are in the label's cluster.

    The matching is one to one, so that a training with these labels goes on where it was.

    Args:
        labels: label of each row, shape ``(N,)``, below K, -1 where unknown; at least one is known.
        gmvae: a model with the built-in networks.
        x, transform: as in `responsibilities`.
    """
    known = labels >= 0
    found = responsibilities(gmvae, x[known], transform=transform)
    wanted = one_hot(labels[known], gmvae.n_components).to(found.dtype)
    reorder_components(gmvae, best_matching(wanted, found))
