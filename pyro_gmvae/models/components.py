"""The order of a model's clusters."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.models.gmvae import GMVAE

__all__ = ["reorder_components"]


@torch.no_grad()
def reorder_components(gmvae: GMVAE, order: Int64[Tensor, " K"]) -> None:
    """Renumber the clusters in place: cluster ``order[i]`` becomes cluster ``i``.

    Nothing else changes: every density is as it was.

    Args:
        gmvae: one with the built-in networks.
        order: a permutation of 0 to K - 1.
    """
    model, guide = gmvae.model, gmvae.guide
    rows = [model.component_loc, model.component_raw_scale, model.mixture_logits]
    if hasattr(guide, "y_head"):
        rows += [guide.y_head.weight, guide.y_head.bias]
    for tensor in rows:
        tensor.copy_(tensor[order])
    if guide.z_head.from_cluster is not None:
        weight = guide.z_head.from_cluster.weight
        weight.copy_(weight[:, order])
