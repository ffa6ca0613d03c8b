"""Rotation, shift, scale and shear, by interpolation."""

from dataclasses import dataclass
from math import radians

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pyro_gmvae.data.transformations.draws import uniform


@dataclass(frozen=True)
class RandomAffine:
    """Turns, shifts, scales and shears each image about its centre; zeros come in from outside.

    The parts have the sense of torchvision's `RandomAffine`, but shifts need not be whole pixels.

    Args:
        degrees: the largest rotation, to both sides.
        translate: the largest shift, as a share of the width and of the height.
        scale: the least and the largest factor of size.
        shear: the largest angle by which columns lean, to both sides, in degrees.

    Raises:
        ValueError: for values out of range; when called, for images that are not floats.
    """

    degrees: float = 0.0
    translate: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0

    def __post_init__(self) -> None:
        if min(self.degrees, self.translate, self.shear) < 0 or self.shear >= 90:
            raise ValueError(
                f"degrees, translate and shear must be at least 0, shear below 90, got {self}"
            )
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale must be positive, the smaller first, got {self.scale}")

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        if not x.is_floating_point():
            raise ValueError(f"images must be floats to be interpolated, not {x.dtype}")
        angle = uniform(x, -radians(self.degrees), radians(self.degrees))
        right = uniform(x, -self.translate, self.translate) * x.shape[3]
        down = uniform(x, -self.translate, self.translate) * x.shape[2]
        scale = uniform(x, *self.scale)
        shear = uniform(x, -radians(self.shear), radians(self.shear))
        return affine(x, angle, right, down, scale, shear)


def affine(
    x: Float[Tensor, "B C H W"],
    angle: Float[Tensor, " B"],
    right: Float[Tensor, " B"],
    down: Float[Tensor, " B"],
    scale: Float[Tensor, " B"],
    shear: Float[Tensor, " B"],
) -> Float[Tensor, "B C H W"]:
    """Shears image b, scales it, turns it clockwise and shifts it, bilinearly.

    Args:
        x: images.
        angle: of the rotation about the centre, in radians.
        right, down: the shift, in pixels.
        scale: factor of size.
        shear: the angle by which columns lean, in radians.
    """
    height, width = x.shape[2:]
    cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
    # The map from a pixel to where it comes from, x then y, in pixels from the centre.
    xx, xy = (cos - sin * tan) / scale, (sin + cos * tan) / scale
    yx, yy = -sin / scale, cos / scale
    from_x, from_y = -(xx * right + xy * down), -(yx * right + yy * down)
    # In the coordinates of the grid both sides are 2 long.
    theta = torch.stack(
        [
            torch.stack([xx, xy * (height / width), from_x * (2 / width)], -1),
            torch.stack([yx * (width / height), yy, from_y * (2 / height)], -1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)
