"""Set the sizes of a convolutional network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pyro_gmvae.ranges import MOST_LAYERS, MOST_SIDE, MOST_WIDTH, whole, widths
from pyro_gmvae.stored import typed

__all__ = ["ConvSizes"]

SMALL = 16  # pixels; images with a shorter side are not divided into patches


@dataclass(frozen=True)
class ConvSizes:
    """Set the sizes of a convolutional encoder and of the decoder that mirrors it.

    The defaults suit images of about 28 x 28 to 32 x 32 on a CPU. With more time or a GPU, use
    more ``channels`` and ``blocks``, or ``patch=1``. The cost of a step grows with the square of
    the channels, with the square of ``1 / patch``, and linearly with the blocks.

    Attributes:
        channels: number of channels at each resolution, the finest first. Each resolution has half
            the height and width, rounded up, of the one before.
        blocks: number of residual blocks at each resolution.
        features: number of features that the encoder returns.
        groups: number of groups of the group normalisation; each has two channels or more.
        patch: side in pixels of the square patches that the finest resolution combines. With 2,
            images of 28 x 28 are convolved at 14 x 14, 7 x 7, 4 x 4 and so on.

    Raises:
        ValueError: for a size out of range (see `pyro_gmvae.ranges`), or channels that ``groups``
            does not divide.

    >>> ConvSizes(channels=(16, 32, 64)).resolutions(28, 28)
    [(14, 14), (7, 7), (4, 4)]
    """

    channels: tuple[int, ...] = (16, 32)
    blocks: int = 1
    features: int = 128
    groups: int = 4
    patch: int = 2

    def __post_init__(self) -> None:
        widths("channels", self.channels)
        for name, most in (
            ("blocks", MOST_LAYERS),
            ("features", MOST_WIDTH),
            ("groups", MOST_WIDTH),
            ("patch", MOST_SIDE),
        ):
            whole(name, getattr(self, name), least=1, most=most)
        # At 1 x 1 the normalisation of a group of one channel is always zero.
        wrong = [c for c in self.channels if c % self.groups or c == self.groups]
        if wrong:
            raise ValueError(
                f"channels must be multiples of {self.groups}, the number of groups, from "
                f"{2 * self.groups} on, got {wrong[0]}"
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ConvSizes:
        """Invert `to_config`; sizes that are missing have their defaults.

        Raises:
            ValueError: for other names or types, or sizes that are refused.
        """
        return typed(cls, config, "conv")

    def to_config(self) -> dict[str, Any]:
        """Return the sizes as plain JSON values."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def for_images(cls, height: int, width: int, **sizes: Any) -> ConvSizes:
        """Return the default sizes, but ``patch=1`` for images with a side below 16 pixels.

        Args:
            height, width: size of the images in pixels.
            sizes: sizes that differ from the defaults.

        >>> ConvSizes.for_images(8, 8).patch, ConvSizes.for_images(28, 28).patch
        (1, 2)
        """
        return cls(**({"patch": 1 if min(height, width) < SMALL else cls.patch} | sizes))

    def resolutions(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return height and width of an image at each resolution, the finest first."""
        sizes = [(-(-height // self.patch), -(-width // self.patch))]
        for _ in self.channels[1:]:
            h, w = sizes[-1]
            sizes.append(((h + 1) // 2, (w + 1) // 2))
        return sizes
