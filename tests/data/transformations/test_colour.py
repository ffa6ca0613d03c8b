"""Colours against torchvision's, image by image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional as reference

from pyro_gmvae.data.transformations import ColourJitter, adjust_colour


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_as_torchvision_does_it(channels: int, dtype: torch.dtype) -> None:
    n = 20
    x = torch.rand(n, channels, 6, 5, dtype=dtype)
    factors = 2 * torch.rand(3, n, dtype=dtype)
    adjusted = adjust_colour(x, *factors)
    assert adjusted.dtype == dtype
    for b in range(n):
        expected = x[b]
        for adjust, factor in zip(
            (reference.adjust_brightness, reference.adjust_contrast, reference.adjust_saturation),
            factors[:, b].tolist(),
            strict=True,
        ):
            expected = adjust(expected, factor)
        # torchvision's weights of red, green and blue sum to 0.9999.
        torch.testing.assert_close(adjusted[b], expected, atol=5e-4, rtol=0)


def test_grey_stays_grey_and_white_stays_white() -> None:
    ones = torch.ones(1)
    grey = torch.rand(1, 1, 4, 4).expand(-1, 3, -1, -1)
    torch.testing.assert_close(adjust_colour(grey, ones, ones, 2 * ones), grey)
    white = torch.ones(1, 3, 4, 4)
    torch.testing.assert_close(adjust_colour(white, ones, 0.5 * ones, 0.5 * ones), white)


@pytest.mark.parametrize("channels", [1, 3])
def test_identity_at_no_strength(channels: int) -> None:
    x = torch.rand(5, channels, 7, 8)
    torch.testing.assert_close(ColourJitter()(x), x, atol=1e-6, rtol=0)


def assert_uniform(draws: Tensor, low: float, high: float) -> None:
    """Bounds and mean, within 4 standard errors."""
    assert draws.min() >= low - 1e-9 and draws.max() <= high + 1e-9
    assert abs(draws.mean() - (low + high) / 2) < 4 * (high - low) / (12 * len(draws)) ** 0.5


@pytest.mark.parametrize(("strength", "low", "high"), [(0.4, 0.6, 1.4), (1.5, 0.0, 2.5)])
@pytest.mark.parametrize("what", ["brightness", "contrast", "saturation"])
def test_draws(what: str, strength: float, low: float, high: float) -> None:
    # Two pixels, red and cyan of one luma, so close to each other that nothing is cut off.
    pixels = torch.tensor([[0.31, 0.30, 0.30], [0.29, 0.30, 0.30]], dtype=torch.float64)
    x = pixels.T[None, :, None, :].expand(5000, -1, -1, -1)
    adjusted = ColourJitter(**{what: strength})(x)
    if what == "brightness":
        assert_uniform(adjusted[:, 1, 0, 0] / 0.30, low, high)
    elif what == "contrast":
        assert_uniform((adjusted[:, 0, 0, 0] - adjusted[:, 0, 0, 1]) / 0.02, low, high)
    else:
        assert_uniform((adjusted[:, 0, 0, 0] - adjusted[:, 1, 0, 0]) / 0.01, low, high)


def test_stays_in_0_to_1() -> None:
    x = torch.rand(200, 3, 4, 4)
    adjusted = ColourJitter(3.0, 3.0, 3.0)(x)
    assert adjusted.min() == 0 and adjusted.max() == 1


@pytest.mark.usefixtures("unchecked_shapes")
def test_refuses() -> None:
    with pytest.raises(ValueError, match="strengths must be at least 0"):
        ColourJitter(contrast=-0.1)
    for bad in (torch.zeros(2, 4, 3, 3), torch.zeros(2, 3, 3, 3, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="must be floats of 1 or 3 channels"):
            ColourJitter()(bad)
