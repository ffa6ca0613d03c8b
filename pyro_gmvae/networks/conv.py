"""Encode and decode images by convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from pyro_gmvae.networks.mlp import linear
from pyro_gmvae.networks.residual import (
    ResidualBlock,
    Upsample,
    channels_last,
    convolution,
    normalized_silu,
)
from pyro_gmvae.networks.sizes import ConvSizes

__all__ = ["ConvDecoder", "ConvEncoder"]


class ConvEncoder(nn.Module):
    """Encode images ``(*batch, C, H, W)`` as features ``(*batch, sizes.features)``, after a SiLU.

    Args:
        event_shape: ``(C, H, W)``.
        sizes: sizes of the network.

    Raises:
        ValueError: for an ``event_shape`` that is not ``(C, H, W)``.

    >>> encoder = ConvEncoder((1, 28, 28), ConvSizes(features=16))
    >>> encoder(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 16])
    """

    def __init__(self, event_shape: Sequence[int], sizes: ConvSizes) -> None:
        super().__init__()
        if len(event_shape) != 3:
            raise ValueError(f"a ConvEncoder is for shapes (C, H, W), got {tuple(event_shape)}")
        self.event_shape, self.n_features = tuple(event_shape), sizes.features
        n_colors, height, width = event_shape
        resolutions = sizes.resolutions(height, width)
        (fine_height, fine_width), coarsest = resolutions[0], resolutions[-1]
        # Images that patches do not tile are padded with zeros at the right and the bottom.
        self.margin = (0, fine_width * sizes.patch - width, 0, fine_height * sizes.patch - height)
        self.to_patches = nn.PixelUnshuffle(sizes.patch)
        self.stem = convolution(n_colors * sizes.patch**2, sizes.channels[0])
        layers: list[nn.Module] = []
        for i, channels in enumerate(sizes.channels):
            if i > 0:
                layers.append(convolution(sizes.channels[i - 1], channels, stride=2))
            layers += [ResidualBlock(channels, sizes.groups) for _ in range(sizes.blocks)]
        self.layers = nn.Sequential(*layers, normalized_silu(sizes.channels[-1], sizes.groups))
        n_last = sizes.channels[-1] * prod(coarsest)
        self.output = nn.Sequential(linear(n_last, sizes.features), nn.SiLU())

    def forward(self, x: Float[Tensor, "*batch C H W"]) -> Float[Tensor, "*batch features"]:
        batch = x.shape[:-3]
        x = x.reshape(-1, *x.shape[-3:])
        patches = self.to_patches(pad(x, self.margin) if any(self.margin) else x)
        # Once more after the convolution: a single channel does not tell its memory format.
        h = self.layers(channels_last(self.stem(channels_last(patches))))
        # Flatten in the order that the entries have in memory, so that nothing is copied.
        features = self.output(h.permute(0, 2, 3, 1).flatten(1))
        return features.reshape(*batch, features.shape[-1])


class ConvDecoder(nn.Module):
    """Decode latents ``(*batch, latent_dim)`` to likelihood parameters ``(*batch, *output_shape)``.

    Args:
        latent_dim: Z.
        output_shape: ``(..., H, W)``; the leading dimensions are the parameters that a likelihood
            takes for each pixel, such as ``(2, C)``.
        sizes: sizes of the network.

    Raises:
        ValueError: for an ``output_shape`` without height and width.

    >>> decoder = ConvDecoder(3, (2, 1, 28, 28), ConvSizes())
    >>> decoder(torch.zeros(5, 3)).shape
    torch.Size([5, 2, 1, 28, 28])
    """

    def __init__(self, latent_dim: int, output_shape: Sequence[int], sizes: ConvSizes) -> None:
        super().__init__()
        if len(output_shape) < 2:
            raise ValueError(f"a ConvDecoder is for shapes (..., H, W), got {tuple(output_shape)}")
        self.output_shape = tuple(output_shape)
        *per_pixel, self.height, self.width = self.output_shape
        resolutions = sizes.resolutions(self.height, self.width)
        self.coarsest = (*resolutions[-1], sizes.channels[-1])
        self.input = linear(latent_dim, prod(self.coarsest))
        layers: list[nn.Module] = []
        for i, channels in reversed(list(enumerate(sizes.channels))):
            if i + 1 < len(sizes.channels):
                layers.append(Upsample(sizes.channels[i + 1], channels, resolutions[i]))
            layers += [ResidualBlock(channels, sizes.groups) for _ in range(sizes.blocks)]
        self.layers = nn.Sequential(*layers, normalized_silu(sizes.channels[0], sizes.groups))
        self.output = convolution(sizes.channels[0], prod(per_pixel) * sizes.patch**2)
        self.to_pixels = nn.PixelShuffle(sizes.patch)

    def forward(self, z: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch_and_output"]:
        batch = z.shape[:-1]
        h = self.input(z.reshape(-1, z.shape[-1])).unflatten(-1, self.coarsest)
        patches = self.output(self.layers(h.permute(0, 3, 1, 2)))  # channels are last in memory
        image = self.to_pixels(patches)[..., : self.height, : self.width]
        # The likelihood compares it with observations, so use their memory format.
        return image.contiguous().reshape(*batch, *self.output_shape)
