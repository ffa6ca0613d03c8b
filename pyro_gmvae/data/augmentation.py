"""Augmentation by name: what changes raw training images."""

from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.transformations import Compose, RandomCrop, RandomFlip, Transformation
from pyro_gmvae.errors import InputError

SHARE = 8  # a crop shifts by an eighth of the shorter side: 4 pixels of 32


def augmentation(data: Dataset, name: str) -> Compose | None:
    """What `name` does to a raw batch of `data`.

    Args:
        data: the training rows.
        name: `"none"`, `"flip"` (left to right, every other image), `"crop"` (a shift by up to an
            eighth of the shorter side, filled by reflection) or `"flip+crop"`.

    Raises:
        InputError: for a table, unless it is `"none"`.
    """
    if name == "none":
        return None
    if data.kind == "table":
        raise InputError(f"{data.name} is a table: only images are augmented, leave augment out")
    side = min(data.event_shape[1:])
    farthest = min(max(1, side // SHARE), side - 1)
    steps: dict[str, Transformation] = {"flip": RandomFlip(), "crop": RandomCrop(farthest)}
    return Compose(tuple(steps[part] for part in name.split("+")))
