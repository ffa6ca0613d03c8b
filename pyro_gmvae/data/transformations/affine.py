"""Rotate, shift, scale and shear images by interpolation."""

from dataclasses import dataclass
from math import radians

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pyro_gmvae.data.transformations.draws import uniform


@dataclass(frozen=True)
class RandomAffine:
    """Rotate, shift, scale and shear each image about its centre, filling with zeros.

    The parameters have the meaning of torchvision's `RandomAffine`, but shifts need not be whole
    pixels.

    Args:
        degrees: the largest rotation, in both directions, in degrees.
        translate: the largest shift, as a share of the width and of the height.
        scale: the smallest and the largest factor of size.
        shear: the largest angle by which columns lean, in both directions, in degrees.

    Raises:
        ValueError: for values out of range; when called, for images that are not floats.

    >>> rotate = RandomAffine(degrees=10)
    >>> rotate(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 1, 8, 8])
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
    """Shear each image, scale it, rotate it clockwise and shift it, with bilinear interpolation.

    Args:
        x: images, shape ``(B, C, H, W)``.
        angle: angle of the rotation about the centre of each image, in radians, shape ``(B,)``.
        right, down: shift of each image, in pixels, shape ``(B,)``.
        scale: factor of size of each image, shape ``(B,)``.
        shear: angle by which the columns of each image lean, in radians, shape ``(B,)``.

    >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> no, one = torch.zeros(1), torch.ones(1)
    >>> affine(image, angle=no, right=one, down=no, scale=one, shear=no)
    tensor([[[[0., 1.],
              [0., 3.]]]])
    """
    height, width = x.shape[2:]
    cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
    # Map a pixel to the place that it comes from, x then y, in pixels from the centre.
    xx, xy = (cos - sin * tan) / scale, (sin + cos * tan) / scale
    yx, yy = -sin / scale, cos / scale
    from_x, from_y = -(xx * right + xy * down), -(yx * right + yy * down)
    # In the coordinates of the grid both sides have length 2.
    theta = torch.stack(
        [
            torch.stack([xx, xy * (height / width), from_x * (2 / width)], -1),
            torch.stack([yx * (width / height), yy, from_y * (2 / height)], -1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)
