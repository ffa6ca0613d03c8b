"""Files in the format of MNIST."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

__all__ = ["write_idx", "write_mnist"]


def write_idx(path: Path, array: np.ndarray) -> None:
    """Bytes in the IDX format: the number of dimensions, their lengths, the numbers."""
    header = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(data_dir: Path, n_train: int, n_test: int) -> None:
    """Two kinds of image, bright above or below, where torchvision looks for MNIST."""
    rng = np.random.default_rng(0)
    raw = data_dir / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", n_train), ("t10k", n_test)):
        y = rng.integers(2, size=n)
        x = rng.integers(40, size=(n, 28, 28))
        x[y == 0, :14] += 200
        x[y == 1, 14:] += 200
        write_idx(raw / f"{part}-images-idx3-ubyte", x)
        write_idx(raw / f"{part}-labels-idx1-ubyte", y)
