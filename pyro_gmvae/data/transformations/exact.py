"""Flips and shifts: every pixel keeps its value, so that raw uint8 images stay raw."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from pyro_gmvae.data.transformations.draws import check_probability

Padding = Literal["zeros", "edge", "reflect"]


@dataclass(frozen=True)
class RandomFlip:
    """Mirrors each image left to right with probability `p`.

    Raises:
        ValueError: for a `p` that is no probability.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.p)

    def __call__(self, x: Shaped[Tensor, "B C H W"]) -> Shaped[Tensor, "B C H W"]:
        mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < self.p
        return torch.where(mirrored, x.flip(-1), x)


@dataclass(frozen=True)
class RandomCrop:
    """Pads by `padding` pixels all round and crops to the old size, anywhere, for each image.

    Args:
        padding: the farthest that an image is shifted, in pixels, in both directions.
        mode: what comes in from outside: `"zeros"`, the nearest pixel (`"edge"`), or the image
            mirrored in its outermost pixels (`"reflect"`).

    Raises:
        ValueError: for a negative `padding` or an unknown `mode`; when called, for a reflection
            that is wider than the images.
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
    """Moves image b by `down[b]` and `right[b]` pixels, negative ones being up and left.

    Under `"reflect"` they must be smaller than the height and the width.
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
    """Where each of `size` pixels comes from, and whether that is inside; both `(B, size)`."""
    wanted = torch.arange(size, device=by.device) - by[:, None]
    inside = (wanted >= 0) & (wanted < size)
    if mode == "reflect":
        wanted = (size - 1) - (wanted.abs() - (size - 1)).abs()
    return wanted.clamp(0, size - 1), inside
