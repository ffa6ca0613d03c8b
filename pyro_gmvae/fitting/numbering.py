"""Renumber the clusters of a trained model, by labels or by size."""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.evaluation import best_matching
from pyro_gmvae.evaluation.weighting import weighted_sizes
from pyro_gmvae.models import GMVAE, reorder_components

__all__ = ["number_as", "number_by_size"]


def number_as(
    labels: Int64[Tensor, " N"], gmvae: GMVAE, responsibilities: Float[Tensor, "N K"]
) -> None:
    """Renumber the clusters in place: each label gets the one that most of its rows are in.

    The matching is one to one, so that a training with these labels goes on where it was.

    Args:
        labels: the labels of rows that have one, all below K.
        gmvae: a model with the built-in networks.
        responsibilities: the responsibilities of the same rows.

    >>> import torch
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> before = gmvae.model.component_loc.detach().clone()
    >>> labels = torch.tensor([0, 0, 1])  # these rows are in the clusters 2, 2 and 0
    >>> number_as(labels, gmvae, torch.eye(3)[[2, 2, 0]])
    >>> torch.equal(gmvae.model.component_loc, before[[2, 0, 1]])
    True
    """
    wanted = one_hot(labels, gmvae.n_components).to(responsibilities.dtype)
    reorder_components(gmvae, best_matching(wanted, responsibilities))


def number_by_size(
    gmvae: GMVAE,
    responsibilities: Float[Tensor, "N K"],
    weights: Float[Tensor, " N"] | None = None,
) -> None:
    """Renumber the clusters in place, the largest first; empty ones go last.

    Args:
        gmvae: a model with the built-in networks.
        responsibilities: the responsibilities of the rows that are counted.
        weights: how much each of these rows counts; None if all count alike.

    >>> import torch
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> before = gmvae.model.component_loc.detach().clone()
    >>> number_by_size(gmvae, torch.eye(3)[[1, 1, 2]])  # cluster 1 has two rows, and 2 has one
    >>> torch.equal(gmvae.model.component_loc, before[[1, 2, 0]])
    True
    """
    sizes = weighted_sizes(responsibilities.argmax(-1), gmvae.n_components, weights)
    reorder_components(gmvae, sizes.argsort(descending=True, stable=True))
