"""Flips and crops against doing it image by image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pyro_gmvae.data.transformations import RandomCrop, RandomFlip, shift

MODES = {"zeros": "constant", "edge": "replicate", "reflect": "reflect"}


def images(n: int, *shape: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    """No two pixels of an image are alike, so that it shows where each went."""
    size = int(torch.tensor(shape).prod())
    return torch.stack([torch.randperm(size).reshape(shape) for _ in range(n)]).to(dtype)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.int64])
def test_a_shift_is_padding_and_cropping(mode: str, dtype: torch.dtype) -> None:
    x, n = images(25, 2, 7, 6, dtype=dtype), 4
    down, right = torch.randint(-n, n + 1, (2, 25))
    moved = shift(x, down, right, mode)
    assert moved.dtype == dtype
    padded = functional.pad(x.double(), [n] * 4, MODES[mode])
    for image, wide, d, r in zip(moved, padded, down.tolist(), right.tolist(), strict=True):
        expected = wide[:, n - d : n - d + 7, n - r : n - r + 6]
        assert torch.equal(image, expected.to(dtype))


@pytest.mark.parametrize("mode", ["zeros", "edge"])
def test_a_shift_may_leave_the_image(mode: str) -> None:
    x = images(1, 1, 3, 3)
    moved = shift(x, torch.tensor([5]), torch.tensor([0]), mode)
    expected = torch.zeros_like(x) if mode == "zeros" else x[:, :, :1].expand_as(x)
    assert torch.equal(moved, expected)


@pytest.mark.parametrize("mode", MODES)
def test_a_crop_is_a_shift_uniform_within_the_padding(mode: str) -> None:
    n, count = 2, 20_000
    x = images(1, 1, 8, 8).expand(count, -1, -1, -1)
    cropped = RandomCrop(n, mode)(x)
    assert cropped.shape == x.shape and cropped.dtype == x.dtype
    shifts = torch.cartesian_prod(torch.arange(-n, n + 1), torch.arange(-n, n + 1))
    every = shift(x[:25], *shifts.T, mode)
    counts = torch.stack([(cropped == one).flatten(1).all(1).sum() for one in every])
    assert counts.sum() == count
    # Each of the 25 is as likely: chi-square of 24 degrees of freedom, 5 deviations of it.
    chi2 = ((counts - count / 25).square() / (count / 25)).sum()
    assert chi2 < 24 + 5 * 48**0.5


def test_a_flip_mirrors_some_whole_images() -> None:
    count, p = 10_000, 0.3
    x = images(1, 3, 4, 5).expand(count, -1, -1, -1)
    flipped = RandomFlip(p)(x)
    is_mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    is_kept = (flipped == x).flatten(1).all(1)
    assert (is_mirrored ^ is_kept).all()
    share = is_mirrored.double().mean()
    assert abs(share - p) < 4 * (p * (1 - p) / count) ** 0.5


@pytest.mark.parametrize("mode", MODES)
def test_nothing_to_do(mode: str) -> None:
    x = images(9, 3, 4, 5)
    assert torch.equal(RandomFlip(0.0)(x), x)
    assert torch.equal(RandomFlip(1.0)(x), x.flip(-1))
    assert torch.equal(RandomCrop(0, mode)(x), x)


def test_refuses() -> None:
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="p must be from 0 to 1"):
            RandomFlip(p)
    with pytest.raises(ValueError, match="at least 0"):
        RandomCrop(-1)
    with pytest.raises(ValueError, match="unknown mode 'wrap': use zeros, edge, reflect"):
        RandomCrop(1, "wrap")
    with pytest.raises(ValueError, match="padding by 4 cannot be reflected in images of 4 by 9"):
        RandomCrop(4)(images(2, 1, 4, 9))
