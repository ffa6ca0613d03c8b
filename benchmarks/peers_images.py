"""The images, put where the trainings' processes find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from pyro_gmvae.data import load_splits
from pyro_gmvae.errors import InputError

__all__ = ["write_images"]


def write_images(path: Path, source: str, data_dir: str, n_images: int | None) -> Tensor:
    """Write the pixels of ``source`` for `Task.data`; the test images' labels are given back.

    Raises:
        InputError: for a source without labelled images.
    """
    splits = load_splits(source, seed=0, validation_fraction=0, data_dir=data_dir)
    if splits.test.kind != "image" or splits.test.y is None:
        raise InputError(f"{source} is not a set of labelled images: use mnist or digits.")
    train, test = splits.train.x[:n_images].flatten(1), splits.test.x.flatten(1)
    np.savez(path, train=train.numpy(), test=test.numpy())
    return splits.test.y
