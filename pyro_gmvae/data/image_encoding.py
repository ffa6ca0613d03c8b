"""Encode images, and own everything that depends on rows being images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.data.encoding import Binarize, Encoding, KindDefaults
from pyro_gmvae.data.transformations import (
    ColourJitter,
    Compose,
    RandomAffine,
    RandomCrop,
    RandomFlip,
    Transformation,
)
from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods import Support

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["ImageEncoding", "greyness"]

GREY = 0.15  # binarisation spoils images of more `greyness` than this
GREY_ROWS = 10_000  # rows that greyness is measured on
CROP_SHARE = 8  # a crop shifts by an eighth of the shorter side: 4 pixels of 32


class ImageEncoding(Encoding):
    """Map 8-bit images ``(C, H, W)`` to [0, 1]: level k of the 256 becomes k / 255.

    Densities are those of grey levels on [0, 1].

    Args: those of `Encoding`.

    >>> encoding = ImageEncoding((1, 1, 2), binarize="static")
    >>> encoding(torch.tensor([[[[100, 200]]]], dtype=torch.uint8)).flatten()
    tensor([0., 1.])
    """

    kind = "image"
    plural = "images"
    convolves = True
    defaults = KindDefaults(
        learning_rate=1e-3,
        latent_dim=20,
        hidden=(256, 256),
        epoch_steps=None,
        anneals_found_clusters=True,
        start_steps=None,
        tolerates_bfloat16=True,
    )
    moves: ClassVar = {
        "affine": lambda: RandomAffine(degrees=20, translate=0.12, scale=(0.75, 1.25), shear=15),
        "flip": RandomFlip,
        "colour": lambda: ColourJitter(brightness=0.4, contrast=0.4, saturation=0.4),
    }
    sample_suffixes = (".png", ".pdf", ".svg", ".jpg")
    sample_words = "samples of images are a picture"

    def __init__(self, event_shape: Sequence[int], binarize: Binarize = "none") -> None:
        super().__init__(event_shape, binarize)
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.tensor(255.0))

    @classmethod
    def support_of(cls, data: Dataset) -> Support:
        """Tell black and white images from grey ones and from colour."""
        if data.event_shape[0] > 1:
            return "levels"
        return "unit_interval" if greyness(data.x) > GREY else "binary"

    @classmethod
    def fit(
        cls,
        data: Dataset,
        support: Support,
        *,
        likelihood: str = "this",
        binarize: Binarize | None = None,
    ) -> ImageEncoding:
        """Make the encoding of images for a likelihood; see `Encoding.fit`.

        Raises:
            InputError: for a binarisation that does not suit the likelihood, or a likelihood of
                counts.
        """
        if support in ("count", "mixed"):
            rows = "counts" if support == "count" else "tables"
            raise InputError(
                f"the {likelihood} likelihood is for {rows} and {data.name} has images: use a "
                "likelihood of pixels"
            )
        if support == "binary" and binarize == "none":
            raise InputError(
                f"the {likelihood} likelihood is for black and white pixels: use binarize dynamic "
                "or static, or a likelihood of grey levels"
            )
        if support != "binary" and binarize not in (None, "none"):
            raise InputError(
                f"the {likelihood} likelihood is for grey levels: use binarize none, or a "
                "likelihood of black and white pixels"
            )
        return cls(data.event_shape, binarize or ("dynamic" if support == "binary" else "none"))

    @classmethod
    def suitable_moves(cls, event_shape: Sequence[int]) -> str:
        """Turn and shift images, and change the colours of those that have any."""
        return "affine+colour" if event_shape[0] == 3 else "affine"

    @classmethod
    def augmentation(cls, data: Dataset, name: str) -> Compose | None:
        """Make ``"flip"`` (every other image), ``"crop"`` (a shift) or ``"flip+crop"``."""
        if name == "none":
            return None
        side = min(data.event_shape[1:])
        farthest = min(max(1, side // CROP_SHARE), side - 1)
        steps: dict[str, Transformation] = {"flip": RandomFlip(), "crop": RandomCrop(farthest)}
        return Compose(tuple(steps[part] for part in name.split("+")))

    @classmethod
    def suitable_start(
        cls, event_shape: Sequence[int], support: Support, *, taught: bool = False
    ) -> str:
        """Begin near a k-means clustering."""
        return "kmeans"

    @classmethod
    def cluster_network(cls, *, regularized: bool) -> Literal["mlp", "conv"] | None:
        """Take convolutions under a regulariser, since they find what images show."""
        return "conv" if regularized else None

    @classmethod
    def describe(cls, event_shape: Sequence[int]) -> str:
        """Name the shape of the images."""
        return f"images of shape {tuple(event_shape)}"

    def log_abs_det(self, raw: Shaped[Tensor, "rows *event"]) -> Float[Tensor, " rows"]:
        """Return 0: the densities of images are by convention those of grey levels on [0, 1]."""
        return self.scale.new_zeros(raw.shape[0])

    def conform(self, data: Dataset) -> Dataset:
        """Accept images of the size in training; a model of colour accepts grey ones too.

        Raises:
            InputError: for other data, or images of another size.
        """
        if data.kind is not type(self):
            raise self._misfit(data)
        wanted = self.event_shape
        if wanted[0] == 3 and data.event_shape == (1, *wanted[1:]):
            return replace(data, x=data.x.expand(-1, *wanted))
        if data.event_shape == wanted:
            return data
        # The images of a folder may be brought to any square size.
        resizable = data.row_names is not None and (wanted[0], wanted[1]) == (
            data.event_shape[0],
            wanted[2],
        )
        raise self._misfit(data, f", or --image-size {wanted[1]}" if resizable else "")


def greyness(x: Shaped[Tensor, "rows *event"]) -> float:
    """Measure how grey uint8 images are: the mean of 4 p (1 - p) over pixels p, as shares of 255.

    The greyer a pixel, the less is left of it when it is drawn black or white. The measure is 0 for
    black and white and 1 for middle grey. MNIST has 0.07, Fashion-MNIST 0.32.

    >>> greyness(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))  # black and white
    0.0
    """
    p = x[:GREY_ROWS].float() / 255
    return (4 * p * (1 - p)).mean().item()
