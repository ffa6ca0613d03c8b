"""Flip and shift images without changing a pixel's value, so that uint8 images stay uint8."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from pyro_gmvae.data.transformations.draws import check_probability

Padding = Literal["zeros", "edge", "reflect"]


@dataclass(frozen=True)
class RandomFlip:
    """Mirror each image left to right with probability `p`.

    Args:
        p: probability of mirroring an image.

    Raises:
        ValueError: for a `p` that is not a probability.

    >>> RandomFlip(p=1.0)(torch.tensor([[[[1, 2, 3]]]]))
    tensor([[[[3, 2, 1]]]])
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B C H W"]) -> Shaped[Tensor, "B C H W"]:
        mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < self.p
        return torch.where(mirrored, x.flip(-1), x)


@dataclass(frozen=True)
class RandomCrop:
    """Pad each image by `padding` pixels on all sides, then crop it at random to the old size.

    Args:
        padding: the largest shift of an image, in pixels, in both directions.
        mode: the pixels outside the image: `"zeros"`, the nearest pixel (`"edge"`), or the image
            mirrored in its outermost pixels (`"reflect"`).

    Raises:
        ValueError: for a negative `padding` or an unknown `mode`; when called, for a reflection
            that is wider than the images.

    >>> RandomCrop(padding=2)(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).dtype
    torch.uint8
    """

    padding: int = 4
    mode: Padding = "reflect"

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise ValueError(f"padding must be at least 0, got {self.padding}")
        if self.mode not in get_args(Padding):
            raise ValueError(f"unknown mode {self.mode!r}: use {', '.join(get_args(Padding))}")

    def __call__(self, x: Shaped[Tensor, "B C H W"]) -> Shaped[Tensor, "B C H W"]:
        if self.mode == "reflect" and self.padding >= min(x.shape[2:]):
            raise ValueError(
                f"padding by {self.padding} cannot be reflected in images of "
                f"{x.shape[2]} by {x.shape[3]}: pad by less, or with edge or zeros"
            )
        n = self.padding
        down, right = torch.randint(-n, n + 1, (2, len(x)), device=x.device)
        return shift(x, down, right, self.mode)


def shift(
    x: Shaped[Tensor, "B C H W"],
    down: Int64[Tensor, " B"],
    right: Int64[Tensor, " B"],
    mode: Padding = "zeros",
) -> Shaped[Tensor, "B C H W"]:
    """Shift image b by `down[b]` and `right[b]` pixels.

    Args:
        x: images, shape ``(B, C, H, W)``.
        down, right: pixels, shape ``(B,)``; negative shifts go up and left. With `"reflect"` they
            must be smaller than the height and the width.
        mode: the pixels outside the image, as in `RandomCrop`.

    >>> image = torch.tensor([[[[1, 2, 3]]]])
    >>> shift(image, down=torch.tensor([0]), right=torch.tensor([1]))
    tensor([[[[0, 1, 2]]]])
    """
    rows, row_is_inside = _sources(down, x.shape[2], mode)
    columns, column_is_inside = _sources(right, x.shape[3], mode)
    moved = x.gather(2, rows[:, None, :, None].expand_as(x))
    moved = moved.gather(3, columns[:, None, None, :].expand_as(x))
    if mode != "zeros":
        return moved
    inside = row_is_inside[:, None, :, None] & column_is_inside[:, None, None, :]
    return moved.masked_fill(~inside, 0)


def _sources(by: Tensor, size: int, mode: Padding) -> tuple[Tensor, Tensor]:
    """Return the index that each pixel comes from, and a mask of those inside the image.

    Args:
        by: shift of each image in pixels, shape ``(B,)``.
        size: number of pixels along the dimension.
        mode: the pixels outside the image.

    Returns:
        Index and mask, both of shape ``(B, size)``.
    """
    wanted = torch.arange(size, device=by.device) - by[:, None]
    inside = (wanted >= 0) & (wanted < size)
    if mode == "reflect":
        wanted = (size - 1) - (wanted.abs() - (size - 1)).abs()
    return wanted.clamp(0, size - 1), inside
