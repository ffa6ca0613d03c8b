"""Affine maps against torchvision's, image by image."""

from __future__ import annotations

from math import degrees, radians

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine as reference

from pyro_gmvae.data.transformations import RandomAffine, affine

STRONG = RandomAffine(degrees=30, translate=0.2, scale=(0.7, 1.3), shear=15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 6)])
def test_as_torchvision_does_it(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    n = 20
    x = torch.rand(n, *shape, dtype=dtype)
    angle, shear = torch.empty(2, n, dtype=dtype).uniform_(-0.6, 0.6)
    right, down = torch.randint(-3, 4, (2, n)).to(dtype)  # torchvision shifts by whole pixels
    scale = torch.empty(n, dtype=dtype).uniform_(0.5, 2)
    moved = affine(x, angle, right, down, scale, shear)
    assert moved.dtype == dtype
    for b in range(n):
        expected = reference(
            x[b],
            angle=degrees(angle[b]),
            translate=[int(right[b]), int(down[b])],
            scale=float(scale[b]),
            shear=[degrees(shear[b]), 0.0],  # of one angle it makes two
            interpolation=InterpolationMode.BILINEAR,
        )
        torch.testing.assert_close(moved[b], expected, atol=2e-5, rtol=0)


def test_identity_at_no_strength() -> None:
    x = torch.rand(5, 3, 7, 8)
    torch.testing.assert_close(RandomAffine()(x), x, atol=1e-5, rtol=0)
    torch.testing.assert_close(RandomAffine()(x.double()), x.double(), atol=1e-12, rtol=0)


def test_zeros_come_in_from_outside() -> None:
    x = torch.ones(1, 1, 4, 4)
    zero, one = torch.zeros(1), torch.ones(1)
    moved = affine(x, zero, 2 * one, -one, one, zero)
    expected = torch.zeros(4, 4)
    expected[:3, 2:] = 1
    torch.testing.assert_close(moved[0, 0], expected, atol=1e-5, rtol=0)


def ramps(count: int, size: int = 16) -> Tensor:
    """Images whose channels are the coordinates x and y from the centre: (count, 2, size, size)."""
    line = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    image = torch.stack([line.expand(size, size), line[:, None].expand(size, size)])
    return image.expand(count, -1, -1, -1)


def measured(t: RandomAffine, count: int = 4000) -> tuple[Tensor, Tensor]:
    """The linear map (count, 2, 2) and the shift (count, 2) that each image was given, forwards."""
    moved = t(ramps(count))
    centre = moved[:, :, 7:9, 7:9]
    origin = centre.mean((2, 3))
    along_x = (centre[..., 1] - centre[..., 0]).mean(2)
    along_y = (centre[..., 1, :] - centre[..., 0, :]).mean(2)
    forwards = torch.linalg.inv(torch.stack([along_x, along_y], -1))
    return forwards, -(forwards @ origin[..., None]).squeeze(-1)


def assert_uniform(draws: Tensor, low: float, high: float) -> None:
    """Bounds, mean and variance; the last two within 4 standard errors."""
    n, width = len(draws), high - low
    assert draws.min() >= low - 1e-9 and draws.max() <= high + 1e-9
    assert abs(draws.mean() - (low + high) / 2) < 4 * width / (12 * n) ** 0.5
    assert abs(draws.var() - width**2 / 12) < 4 * width**2 / (180 * n) ** 0.5


def test_draws_of_rotation_and_scale() -> None:
    m, shift = measured(RandomAffine(degrees=20, scale=(0.8, 1.1)))
    assert_uniform(torch.atan2(m[:, 1, 0], m[:, 0, 0]), -radians(20), radians(20))
    assert_uniform(torch.linalg.det(m).sqrt(), 0.8, 1.1)
    assert shift.abs().max() < 1e-9


def test_draws_of_the_shift() -> None:
    m, shift = measured(RandomAffine(translate=0.1))
    torch.testing.assert_close(m, torch.eye(2).double().expand_as(m))
    for i in range(2):
        assert_uniform(shift[:, i], -1.6, 1.6)
    correlation = torch.corrcoef(shift.T)[0, 1]
    assert abs(correlation) < 4 / len(shift) ** 0.5


def test_draws_of_the_shear() -> None:
    m, _ = measured(RandomAffine(shear=25))
    assert_uniform(torch.atan(-m[:, 0, 1]), -radians(25), radians(25))
    torch.testing.assert_close(m[:, 1], torch.tensor([0.0, 1.0]).double().expand(len(m), 2))


def test_refuses() -> None:
    for settings in ({"degrees": -1}, {"translate": -0.1}, {"shear": 90}):
        with pytest.raises(ValueError, match="must be at least 0, shear below 90"):
            RandomAffine(**settings)
    for scale in ((0.0, 1.0), (1.2, 0.8)):
        with pytest.raises(ValueError, match="scale must be positive, the smaller first"):
            RandomAffine(scale=scale)


@pytest.mark.usefixtures("unchecked_shapes")
def test_refuses_bytes() -> None:
    with pytest.raises(ValueError, match="must be floats to be interpolated, not torch.uint8"):
        STRONG(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
