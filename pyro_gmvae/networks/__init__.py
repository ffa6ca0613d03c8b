"""Build encoders, decoders and the heads that turn features into q(y|x) and q(z|x,y)."""

from __future__ import annotations

from pyro_gmvae.networks.conv import ConvDecoder, ConvEncoder
from pyro_gmvae.networks.gated import GatedDecoder, PlacedHead, PlacedMixtureHead
from pyro_gmvae.networks.heads import MIN_SCALE, GaussianHead, feature_size
from pyro_gmvae.networks.initial import xavier_normal
from pyro_gmvae.networks.mlp import MLPDecoder, MLPEncoder, linear, mlp
from pyro_gmvae.networks.sizes import ConvSizes
from pyro_gmvae.networks.table import (
    RealCells,
    TableClusterEncoder,
    TableFeatures,
    TableStatistics,
)

__all__ = [
    "MIN_SCALE",
    "ConvDecoder",
    "ConvEncoder",
    "ConvSizes",
    "GatedDecoder",
    "GaussianHead",
    "MLPDecoder",
    "MLPEncoder",
    "PlacedHead",
    "PlacedMixtureHead",
    "RealCells",
    "TableClusterEncoder",
    "TableFeatures",
    "TableStatistics",
    "feature_size",
    "linear",
    "mlp",
    "xavier_normal",
]
