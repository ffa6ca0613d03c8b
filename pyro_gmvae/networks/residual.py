"""The layers of a convolutional network."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["ResidualBlock", "Upsample", "channels_last", "convolution", "normalized_silu"]

BRANCH_GAIN = 0.1  # small, so that a deep network begins near the identity


def convolution(n_in: int, n_out: int, *, stride: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps height and width, or halves them, rounded up.

    It begins as `pyro_gmvae.networks.linear` does, ``gain`` times that.
    """
    layer = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1)
    _begin(layer.weight, layer.bias, gain)
    return layer


def normalized_silu(channels: int, groups: int) -> nn.Sequential:
    """Group normalisation, which knows no batch and so is the same in training and evaluation."""
    # Not ReLU, with which a step is faster but learns less.
    return nn.Sequential(_PreciseGroupNorm(groups, channels), nn.SiLU())


class _PreciseGroupNorm(nn.GroupNorm):
    """In the precision of its parameters under autocast too, as autocast itself does on CUDA.

    On a CPU in bfloat16 it would take longer than the convolutions.
    """

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype)).to(x.dtype)


def channels_last(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """The same with all channels of a pixel side by side in memory.

    A convolution of few channels is faster so on a CPU. The weights may stay as they are: their
    format makes no difference.
    """
    return x.contiguous(memory_format=torch.channels_last)


class ResidualBlock(nn.Module):
    """``x + branch(x)`` with two convolutions in the branch, each after its normalised SiLU.

    Reference: He et al. 2016, Identity mappings in deep residual networks, arXiv 1603.05027.
    """

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            normalized_silu(channels, groups),
            convolution(channels, channels),
            normalized_silu(channels, groups),
            convolution(channels, channels, gain=BRANCH_GAIN),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x + self.branch(x)


class Upsample(nn.Module):
    """Twice the height and width, cropped to ``size``: the way back from a halving rounded up.

    Each pixel becomes four, with a matrix for each of the four: a transposed 2 x 2 convolution. The
    residual blocks that follow mix the neighbours.
    """

    # Faster on a CPU than transposed convolutions of 3 x 3 or 4 x 4, and far faster than nearest
    # neighbours before a 3 x 3 convolution, or a pixel shuffle after it.

    def __init__(self, n_in: int, n_out: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.layer = nn.ConvTranspose2d(n_in, n_out, 2, stride=2)
        _begin(self.layer.weight.flatten(1), self.layer.bias)  # n_in numbers make 4 n_out

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C_out H_out W_out"]:
        height, width = self.size
        return self.layer(x)[..., :height, :width]


def _begin(weight: Tensor, bias: Tensor | None, gain: float = 1.0) -> None:
    nn.init.xavier_uniform_(weight, gain)
    if bias is not None:
        nn.init.zeros_(bias)
