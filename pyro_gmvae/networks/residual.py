"""Build the layers of a convolutional network."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["ResidualBlock", "Upsample", "channels_last", "convolution", "normalized_silu"]

BRANCH_GAIN = 0.1  # small, so that a deep network is close to the identity at first


def convolution(n_in: int, n_out: int, *, stride: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """Build a 3 x 3 convolution that keeps height and width, or halves them, rounded up.

    Its initial weights are those of `pyro_gmvae.networks.linear`, multiplied by ``gain``.

    >>> convolution(1, 8, stride=2)(torch.zeros(5, 1, 7, 7)).shape
    torch.Size([5, 8, 4, 4])
    """
    layer = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1)
    _initialize(layer.weight, layer.bias, gain)
    return layer


def normalized_silu(channels: int, groups: int) -> nn.Sequential:
    """Build a group normalisation followed by a SiLU.

    Group normalisation does not depend on the batch, so it is the same in training and evaluation.

    >>> normalized_silu(channels=4, groups=2)(torch.zeros(5, 4, 7, 7)).shape
    torch.Size([5, 4, 7, 7])
    """
    # With a ReLU a step is faster but learns less.
    return nn.Sequential(_PreciseGroupNorm(groups, channels), nn.SiLU())


class _PreciseGroupNorm(nn.GroupNorm):
    """Normalise in the precision of the parameters even under autocast.

    Autocast itself does so on CUDA. On a CPU the normalisation would run in bfloat16, which takes
    longer than the convolutions.
    """

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        if x.is_meta:  # shapes without numbers, for which there is no autocast
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype)).to(x.dtype)


def channels_last(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """Put all channels of a pixel side by side in memory.

    This makes a convolution of few channels faster on a CPU. The memory format of the weights
    makes no difference.

    >>> x = torch.zeros(5, 3, 7, 7)
    >>> x.stride(), channels_last(x).stride()  # the channels are one number apart
    ((147, 49, 7, 1), (147, 1, 21, 3))
    """
    return x.contiguous(memory_format=torch.channels_last)


class ResidualBlock(nn.Module):
    """Compute ``x + branch(x)`` with two convolutions in the branch, each after a normalised SiLU.

    Reference: He et al. 2016, Identity mappings in deep residual networks, arXiv 1603.05027.

    >>> ResidualBlock(channels=4, groups=2)(torch.zeros(5, 4, 7, 7)).shape
    torch.Size([5, 4, 7, 7])
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
    """Double the height and width, then crop to ``size``, to undo a halving that was rounded up.

    A transposed 2 x 2 convolution turns each pixel into four, with a matrix for each of the four.
    The residual blocks that follow mix the neighbours.

    >>> Upsample(8, 4, size=(7, 7))(torch.zeros(5, 8, 4, 4)).shape
    torch.Size([5, 4, 7, 7])
    """

    # A transposed 2 x 2 convolution is faster on a CPU than transposed convolutions of 3 x 3 or
    # 4 x 4, and far faster than nearest neighbours before, or a pixel shuffle after, a 3 x 3
    # convolution.

    def __init__(self, n_in: int, n_out: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.layer = nn.ConvTranspose2d(n_in, n_out, 2, stride=2)
        _initialize(self.layer.weight.flatten(1), self.layer.bias)  # n_in numbers make 4 n_out

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C_out H_out W_out"]:
        height, width = self.size
        return self.layer(x)[..., :height, :width]


def _initialize(weight: Tensor, bias: Tensor | None, gain: float = 1.0) -> None:
    nn.init.xavier_uniform_(weight, gain)
    if bias is not None:
        nn.init.zeros_(bias)
