"""Change brightness, contrast and saturation."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data.transformations.draws import uniform


@dataclass(frozen=True)
class ColourJitter:
    """Change brightness, contrast and saturation of each image, in this order.

    For a strength s a factor between 1 - s (but at least 0) and 1 + s is drawn. A factor of 1
    changes nothing. The strengths have the same meaning in torchvision.

    Args:
        brightness, contrast, saturation: strengths; grey images have no saturation to change.

    Raises:
        ValueError: for a negative strength; when called, for images that are not floats of 1 or 3
            channels.

    >>> darker_or_brighter = ColourJitter(brightness=0.2)
    >>> moved = darker_or_brighter(torch.full((5, 3, 8, 8), 0.5))
    >>> bool(((moved > 0.39) & (moved < 0.61)).all())
    True
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        if min(self.brightness, self.contrast, self.saturation) < 0:
            raise ValueError(f"strengths must be at least 0, got {self}")

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        if not x.is_floating_point() or x.shape[1] not in (1, 3):
            raise ValueError(
                f"images must be floats of 1 or 3 channels, not {x.dtype} of {x.shape[1]}"
            )
        strengths = (self.brightness, self.contrast, self.saturation)
        return adjust_colour(x, *(uniform(x, max(0.0, 1 - s), 1 + s) for s in strengths))


def adjust_colour(
    x: Float[Tensor, "B C H W"],
    brightness: Float[Tensor, " B"],
    contrast: Float[Tensor, " B"],
    saturation: Float[Tensor, " B"],
) -> Float[Tensor, "B C H W"]:
    """Multiply brightness, contrast and saturation of each image by given factors.

    The contrast is the difference of an image from its mean grey. The saturation is the difference
    of a pixel from its own grey.

    Args:
        x: grey or colour images in [0, 1], C = 1 or 3; so is the result.
        brightness, contrast, saturation: factors of each image, at least 0, shape ``(B,)``.

    >>> one = torch.ones(1)
    >>> adjust_colour(torch.full((1, 1, 1, 1), 0.25), 2 * one, one, one)
    tensor([[[[0.5000]]]])
    """
    x = (x * _per_image(brightness)).clamp(0, 1)
    mean = _grey(x).mean((1, 2, 3), keepdim=True)
    x = (mean + (x - mean) * _per_image(contrast)).clamp(0, 1)
    grey = _grey(x)
    return (grey + (x - grey) * _per_image(saturation)).clamp(0, 1)


def _grey(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 1 H W"]:
    """Compute the grey level (luma) by ITU-R 601, as television and Pillow do."""
    if x.shape[1] == 1:
        return x
    return 0.299 * x[:, 0:1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3]


def _per_image(factor: Float[Tensor, " B"]) -> Float[Tensor, "B 1 1 1"]:
    return factor[:, None, None, None]
