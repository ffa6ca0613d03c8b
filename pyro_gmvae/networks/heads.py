"""Build the head of q(z|x,y) and find the number of features that an encoder gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from pyro_gmvae.modes import eval_mode
from pyro_gmvae.networks.conv import ConvEncoder
from pyro_gmvae.networks.mlp import MLPEncoder, linear, mlp

__all__ = ["MIN_SCALE", "GaussianHead", "feature_size"]

MIN_SCALE = 1e-4  # least latent standard deviation; keeps log-densities finite


class GaussianHead(nn.Module):
    """Map features, and optionally a cluster, to the mean and scale of q(z|x,y).

    The cluster enters at the first layer, ``relu(W x + V y)``, so that all clusters share the
    product with x when y is enumerated.

    Args:
        in_features: F, size of the features.
        n_clusters: K, or 0 for a head that does not depend on the cluster.
        hidden: sizes of the hidden layers, at least one.
        latent_dim: Z.

    >>> head = GaussianHead(in_features=8, n_clusters=3, hidden=(16,), latent_dim=2)
    >>> loc, scale = head(torch.zeros(5, 8), torch.eye(3).unsqueeze(1))  # every cluster at once
    >>> loc.shape, bool((scale > 0).all())
    (torch.Size([3, 5, 2]), True)
    """

    # Tensors with a place for each cluster, and the dimension of that place.
    component_dims: ClassVar[Mapping[str, int]] = {"from_cluster.weight": 1}

    def __init__(
        self, in_features: int, n_clusters: int, hidden: Sequence[int], latent_dim: int
    ) -> None:
        super().__init__()
        self.from_features = linear(in_features, hidden[0])
        self.from_cluster = linear(n_clusters, hidden[0], bias=False) if n_clusters else None
        self.layers = mlp(hidden)
        self.output = linear(hidden[-1], 2 * latent_dim)

    def forward(
        self, features: Float[Tensor, "*batch F"], y: Float[Tensor, "*any K"] | None = None
    ) -> tuple[Float[Tensor, "*batch_z Z"], Float[Tensor, "*batch_z Z"]]:
        """Compute mean and standard deviation of z; ``features`` and ``y`` broadcast."""
        first = self.from_features(features)
        if self.from_cluster is not None and y is not None:
            first = first + self.from_cluster(y)
        # Flatten to two dimensions, as in `MLPDecoder`.
        hidden = self.layers(torch.relu(first.reshape(-1, first.shape[-1])))
        output = self.output(hidden).view(*first.shape[:-1], -1)
        # Under autocast the output is bfloat16, which is too coarse for distributions.
        loc, raw_scale = output.to(self.output.weight.dtype).chunk(2, -1)
        return loc, softplus(raw_scale) + MIN_SCALE


def feature_size(encoder: nn.Module, event_shape: Sequence[int]) -> int:
    """Find the number of features of an encoder, by encoding one blank observation if need be.

    Raises:
        ValueError: if the encoder does not map ``(1, *event_shape)`` to ``(1, features)``.

    >>> feature_size(nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), (2, 3))
    4
    """
    if isinstance(encoder, MLPEncoder | ConvEncoder):
        overridden = type(encoder) not in (MLPEncoder, ConvEncoder)
        if encoder.event_shape == tuple(event_shape) and not overridden:
            return encoder.n_features
    reference = next(iter(encoder.parameters()), torch.zeros(()))
    with eval_mode(encoder):
        features = encoder(reference.new_zeros((1, *event_shape)))
    if features.dim() != 2 or features.shape[0] != 1:
        raise ValueError(
            "an encoder must map (batch, *event) to (batch, features); from "
            f"{(1, *event_shape)} this one made {tuple(features.shape)}"
        )
    return features.shape[1]
