"""How large a convolutional network is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ConvSizes"]

SMALL = 16  # pixels


@dataclass(frozen=True)
class ConvSizes:
    """The sizes of a convolutional encoder and of the decoder that mirrors it.

    The defaults are for images of about 28 x 28 to 32 x 32 on a CPU. Where there is time or a GPU,
    take more ``channels`` and ``blocks``, or ``patch=1``. The cost of a step goes with the square
    of the channels and of ``1 / patch``, and with the blocks.

    Attributes:
        channels: of each resolution, the finest first; each has half the height and width, rounded
            up, of the one before.
        blocks: residual blocks at each resolution.
        features: what the encoder gives in the end.
        groups: of group normalisation; each has two channels or more.
        patch: pixels of a side that the finest resolution takes together: with 2, images of
            28 x 28 are convolved at 14 x 14, 7 x 7, 4 x 4 and so on.

    Raises:
        ValueError: for a size below 1, or channels that ``groups`` does not divide.
    """

    channels: tuple[int, ...] = (16, 32)
    blocks: int = 1
    features: int = 128
    groups: int = 4
    patch: int = 2

    def __post_init__(self) -> None:
        least = {"channels": min(self.channels, default=0)}
        least |= {name: getattr(self, name) for name in ("blocks", "features", "groups", "patch")}
        for name, size in least.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        # A group of one channel would, at 1 x 1, be normalised to nothing.
        wrong = [c for c in self.channels if c % self.groups or c == self.groups]
        if wrong:
            raise ValueError(
                f"channels must be multiples of {self.groups}, the number of groups, from "
                f"{2 * self.groups} on, got {wrong[0]}"
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ConvSizes:
        """The inverse of `to_config`; what is missing takes its default, but for the channels."""
        return cls(**{**config, "channels": tuple(config["channels"])})

    def to_config(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def for_images(cls, height: int, width: int, **sizes: Any) -> ConvSizes:
        """The defaults, but for small images pixel by pixel: patches would be too coarse."""
        return cls(**({"patch": 1 if min(height, width) < SMALL else cls.patch} | sizes))

    def resolutions(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width at each resolution of an image, the finest first."""
        sizes = [(-(-height // self.patch), -(-width // self.patch))]
        for _ in self.channels[1:]:
            h, w = sizes[-1]
            sizes.append(((h + 1) // 2, (w + 1) // 2))
        return sizes
