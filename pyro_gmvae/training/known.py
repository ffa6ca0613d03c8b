"""What is known beforehand of the cluster of each datum: a label, or how likely each cluster is."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.models.labels import check_labels

__all__ = ["Known", "check_known", "drawn_labels"]

Known = Int[Tensor, " N"] | Float[Tensor, "N K"]  # -1 for no label

ROUNDING = 1e-3  # by which the probabilities of a row may miss 1


def check_known(y: Tensor, n_data: int, n_components: int) -> None:
    """Refuse labels or responsibilities that are not of these data and clusters.

    Raises:
        InputError: for another shape, a label without a cluster, or rows that are no probabilities.
    """
    wanted = (n_data, n_components) if y.is_floating_point() else (n_data,)
    if tuple(y.shape) != wanted:
        raise InputError(
            f"clusters of shape {tuple(y.shape)} are not of {n_data} rows and {n_components} "
            f"clusters: give integers of shape ({n_data},), or responsibilities of shape "
            f"({n_data}, {n_components})"
        )
    if not y.is_floating_point():
        check_labels(y, n_components)
    elif not bool((y >= 0).all() & ((y.sum(-1) - 1).abs() <= ROUNDING).all()):
        raise InputError("responsibilities must be probabilities: from 0 up, and 1 in sum a row")


def drawn_labels(y: Known) -> Int[Tensor, " N"]:
    """Labels as they are; of responsibilities ``(N, K)`` a cluster for each row, drawn anew.

    Drawing gives the gradient of the objective's mean over the responsibilities without bias, for
    every method: q(y|x), or p(y|z) in the marginal one, learns them by their cross-entropy, and
    each cluster's z and x count by them. Nothing is read back from the device.
    """
    if not y.is_floating_point():
        return y
    upto = y.cumsum(-1)
    at = torch.rand(len(y), 1, dtype=y.dtype, device=y.device) * upto[:, -1:]
    return (upto <= at).sum(-1).clamp(max=y.shape[-1] - 1)
