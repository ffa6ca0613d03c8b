"""Load image sets: scikit-learn's digits, and those that torchvision reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from pyro_gmvae.data.cifar100 import SUPERCLASS_NAMES, SUPERCLASS_OF
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import torchvision.datasets

TORCHVISION_CLASSES = {
    "mnist": "MNIST",
    "fashion-mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "cifar100-fine": "CIFAR100",
}

CHANNELS = (1, 3, 4)  # the lengths that an axis of colour channels may have


def load_digits() -> Dataset:
    """Load the 1,797 handwritten digits of scikit-learn: ``(1797, 1, 8, 8)``, 16 grey levels."""
    from sklearn.datasets import load_digits as sklearn_digits

    bunch = sklearn_digits()
    x = torch.from_numpy(bunch.images).mul(255 / 16).round().to(torch.uint8).unsqueeze(1)
    names = tuple(str(c) for c in bunch.target_names)
    return Dataset("digits", x, torch.from_numpy(bunch.target).long(), ImageEncoding, None, names)


def load_torchvision(
    name: str,
    *,
    split: Literal["all", "train", "test"] = "all",
    data_dir: str | Path = "data",
    download: bool = False,
) -> Dataset:
    """Load one of `TORCHVISION_CLASSES` from where torchvision puts it in ``data_dir``.

    The labels of ``cifar100`` are its 20 superclasses, those of ``cifar100-fine`` (the same files)
    its 100 classes. The split ``"all"`` is the training images and then the test images.

    Raises:
        InputError: if the files are missing, damaged, or cannot be downloaded.
    """
    parts = [
        _read(name, train, Path(data_dir), download)
        for train in (True, False)
        if split in ("all", "train" if train else "test")
    ]
    x = torch.cat([torch.as_tensor(channels_first(np.asarray(p.data), name)) for p in parts])
    y = torch.cat([torch.as_tensor(p.targets, dtype=torch.long) for p in parts])
    class_names = tuple(parts[0].classes)
    if name == "cifar100":
        y, class_names = torch.tensor(SUPERCLASS_OF)[y], SUPERCLASS_NAMES
    return Dataset(name, x, y, ImageEncoding, None, class_names)


def channels_first(x: np.ndarray, name: str = "array") -> np.ndarray:
    """Bring ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)`` to contiguous ``(N, C, H, W)``.

    The channels are the axis of length 1, 3 or 4. If both the second and the last axis have such a
    length, the channels are the second.

    Raises:
        InputError: if neither axis of a 4-dimensional array has the length of channels.
    """
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[1] not in CHANNELS:
        if x.shape[3] not in CHANNELS:
            raise InputError(
                f"{name} has the shape {x.shape}, where no axis can be the colour channels: "
                "store images with 1, 3 or 4 channels."
            )
        x = np.moveaxis(x, 3, 1)
    return np.require(x, requirements=["C", "W"])  # torch wants to be able to write


def _read(
    name: str, train: bool, data_dir: Path, download: bool
) -> "torchvision.datasets.VisionDataset":
    from torchvision import datasets

    reader = getattr(datasets, TORCHVISION_CLASSES[name])
    try:
        return reader(root=str(data_dir), train=train, download=download)
    # torchvision raises RuntimeError for missing files, and other errors for damaged ones.
    except (RuntimeError, OSError, ValueError, AssertionError, EOFError) as error:
        if download:
            raise InputError(
                f"{name} could not be downloaded into {data_dir} ({error}): check the network and "
                "that the folder can be written, or fetch the files by hand."
            ) from error
        raise InputError(
            f"{name} is missing or incomplete in the folder {data_dir}: pass --download to fetch "
            "it or --data-dir to say where it is."
        ) from error
