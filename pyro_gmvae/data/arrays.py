"""Load NumPy files, ``.npy`` and ``.npz``, and turn arrays into data sets."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyro_gmvae.data.checks import DataWarning, Purpose, check_rows, listed, table_tensor
from pyro_gmvae.data.columns.infer import describe_numbers
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.data.images import CHANNELS, channels_first
from pyro_gmvae.data.in_memory import as_array
from pyro_gmvae.data.labels import labels_from_array
from pyro_gmvae.data.npy import is_zip, read_npy, read_npz
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError

# The names, in lower case, that people give to the arrays of an .npz file.
ROWS = ("x", "data", "images", "arr_0")
SPARSE = {"data", "format", "shape"}  # the names in every file of scipy.sparse.save_npz
LABELS = ("y", "labels", "label", "targets", "target")


def load_array(path: Path, *, purpose: Purpose = "fit") -> Dataset:
    """Read an ``.npy`` file, or the rows and, if they are there, the labels of an ``.npz`` file.

    The rows of an ``.npz`` file are its array ``x``, ``data``, ``images`` or ``arr_0``. The labels
    are its array ``y``, ``labels``, ``label``, ``targets`` or ``target``. Case does not matter.

    Raises:
        InputError: if the file is empty, damaged or holds Python objects, if an ``.npz`` has no
            rows or several arrays that may be, or if `from_array` refuses the arrays.
    """
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: write it again with numpy.save or numpy.savez.")
    arrays = read_npz(path, partial(_names, path)) if is_zip(path) else [read_npy(path)]
    return _dataset(arrays[0], arrays[1] if len(arrays) > 1 else None, path.stem, purpose)


def from_array(
    x: Any,
    y: Any = None,
    *,
    name: str = "array",
    purpose: Purpose = "fit",
    wishes: Wishes | None = None,
) -> Dataset:
    """Check an array and turn it into a data set, which shares no memory with the array.

    Args:
        x: images ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``, as uint8 in 0..255, floats in
            [0, 1] or truth values; or a table ``(N, D)`` of numbers, NaN where a cell is missing. A
            tensor, a sparse matrix, or a list of N arrays or tensors of one shape, will do.
        y: labels ``(N,)``, integers or text.
        name: the name of the data set in messages.
        purpose: ``"apply"`` accepts a single row and constant columns.
        wishes: what the user says about the columns of a table, by their places.

    Warns:
        DataWarning: when fitting, for images whose channels may be the second or the last axis.

    Raises:
        InputError: for another type or number of dimensions, labels of another length, or a table
            that `table_tensor` refuses.

    >>> from_array(np.array([[[0.0, 0.2]], [[1.0, 0.4]]])).x.flatten(1)
    tensor([[  0,  51],
            [255, 102]], dtype=torch.uint8)
    """
    given = np.asarray(as_array(x, name))
    labels = None if y is None else np.asarray(as_array(y, f"y of {name}"))
    data = with_wishes(_dataset(given, labels, name, purpose), wishes)
    if np.may_share_memory(data.x.numpy(), given):
        object.__setattr__(data, "x", data.x.clone())
    return data


def with_wishes(data: Dataset, wishes: Wishes | None) -> Dataset:
    """Describe the columns of an array as the user says, if the user says anything.

    Raises:
        InputError: for wishes that do not fit, as for images.
    """
    if wishes is None or wishes == Wishes():
        return data
    if data.kind is not TableEncoding:
        raise InputError(f"{data.name} has images, which have no columns to describe: leave it out")
    found = describe_numbers(data.x.numpy(), data.name, wishes)
    return replace(data, x=torch.from_numpy(found.values), schema=found.schema)


def _dataset(x: np.ndarray, y: np.ndarray | None, name: str, purpose: Purpose) -> Dataset:
    labels = None if y is None else labels_from_array(y, name, "labels y")
    if x.dtype.kind not in "biuf":
        raise InputError(f"{name} is an array of type {x.dtype}: store numbers (uint8 for images).")
    if x.ndim == 2:
        return Dataset(name, table_tensor(x, None, name, purpose), labels, TableEncoding)
    if x.ndim not in (3, 4):
        column = ", reshape(-1, 1) for a single column" if x.ndim == 1 else ""
        raise InputError(
            f"{name} is an array of shape {x.shape}: give a table (N, D){column}, or images "
            "(N, H, W), (N, H, W, C) or (N, C, H, W)."
        )
    check_rows(len(x), name, purpose)
    if x.size == 0:
        raise InputError(f"{name} has the shape {x.shape}, images without pixels: give them some.")
    levels = channels_first(_levels(x, name), name)
    if purpose == "fit":
        _warn_of_channels(x.shape, name)
    return Dataset(name, torch.from_numpy(levels), labels, ImageEncoding)


def _levels(x: np.ndarray, name: str) -> np.ndarray:
    """Bring images to the levels 0..255."""
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind == "b":
        return x * np.uint8(255)
    found = f"the type {x.dtype}"
    if x.dtype.kind == "f":
        low, high = x.min(), x.max()
        if low >= 0 and high <= 1:
            return np.rint(x * 255).astype(np.uint8)
        found += f" with {'NaN' if np.isnan(low) else f'numbers from {low:g} to {high:g}'}"
    raise InputError(
        f"{name} has the shape {x.shape} of images but {found}: store images as uint8 in 0..255 or "
        "as floats in [0, 1], or flatten other data to (N, D)."
    )


def _warn_of_channels(shape: Sequence[int], name: str) -> None:
    """Tell how images are read whose channels may be the second axis or the last one."""
    if len(shape) == 3 or shape[1] not in CHANNELS or shape[3] not in CHANNELS:
        return
    _, second, third, last = shape
    square_first, square_last = third == last, second == third
    if (square_first and not square_last) or second == last == 1:
        return
    warnings.warn(
        f"{name} has the shape {tuple(shape)}, which is read as images of {second} channels and "
        f"{third}x{last} pixels: if it means {second}x{third} pixels of {last} channels, pass "
        "numpy.moveaxis(x, 3, 1).",
        DataWarning,
        stacklevel=4,
    )


def _names(path: Path, names: Sequence[str]) -> list[str]:
    """Choose the array of the rows, and that of the labels if there is one."""
    if set(names) >= SPARSE:
        raise InputError(
            f"{path} is a sparse matrix of scipy.sparse.save_npz: give the matrix to GMVAE, "
            "or write numpy.savez(path, x=matrix.toarray())."
        )
    rows = _first_group(names, ROWS)
    if not rows:
        raise InputError(
            f"{path} has no array x but {listed(names) or 'nothing'}: "
            "write it with numpy.savez(path, x=..., y=...)."
        )
    labels = _first_group(names, LABELS)
    for found, what in ((rows, "x"), (labels, "y")):
        if len(found) > 1:
            raise InputError(
                f"{path} has the arrays {listed(found)}, of which one is to be read: name that one "
                f"{what}."
            )
    return rows + labels


def _first_group(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return the name that goes before all others, or every usual one."""
    if usual[0] in names:
        return [usual[0]]
    main = [n for n in names if n.lower() == usual[0]]
    return main or [n for n in names if n.lower() in usual]
