"""Load NumPy files, ``.npy`` and ``.npz``, which are never unpickled."""

import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from pyro_gmvae.data.checks import Purpose, check_rows, table_tensor
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.data.images import channels_first
from pyro_gmvae.data.labels import labels_from_array
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError


def load_array(path: Path, *, purpose: Purpose = "fit") -> Dataset:
    """Read an ``.npy`` file, or the keys ``x`` and, if it is there, ``y`` of an ``.npz`` file.

    Raises:
        InputError: if the file is empty, damaged or holds Python objects, if an ``.npz`` has no
            ``x``, or if `from_array` refuses the arrays.
    """
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: write it again with numpy.save or numpy.savez.")
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return from_array(content, name=path.stem, purpose=purpose)
        with content:
            if "x" not in content.files:
                raise InputError(
                    f"{path} has no array x but {', '.join(content.files) or 'nothing'}: "
                    "write it with numpy.savez(path, x=..., y=...)."
                )
            y = content["y"] if "y" in content.files else None
            return from_array(content["x"], y, name=path.stem, purpose=purpose)
    except InputError:
        raise
    except (ValueError, pickle.UnpicklingError) as error:
        # NumPy's own message invites the user to allow pickles; this one does not.
        raise InputError(
            f"{path} holds Python objects or is not a NumPy file: store plain numbers, with "
            "numpy.save or numpy.savez."
        ) from error
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged or cut short ({error}): write it again.") from error


def from_array(
    x: np.ndarray, y: np.ndarray | None = None, *, name: str = "array", purpose: Purpose = "fit"
) -> Dataset:
    """Check an array and turn it into a data set.

    Args:
        x: uint8 images ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``, or a table ``(N, D)``.
        y: labels ``(N,)``, integers or text.
        name: the name of the data set in messages.
        purpose: ``"apply"`` accepts a single row and constant columns.

    Raises:
        InputError: for another type or number of dimensions, labels of another length, or a table
            that `table_tensor` refuses.
    """
    labels = None if y is None else labels_from_array(y, name, "labels y")
    if x.dtype.kind not in "biuf":
        raise InputError(f"{name} is an array of type {x.dtype}: store numbers (uint8 for images).")
    if x.ndim == 2:
        return Dataset(name, table_tensor(x, None, name, purpose), labels, TableEncoding)
    if x.ndim not in (3, 4):
        raise InputError(
            f"{name} is an array of shape {x.shape}: give a table (N, D), or uint8 images "
            "(N, H, W), (N, H, W, C) or (N, C, H, W)."
        )
    if x.dtype != np.uint8:
        raise InputError(
            f"{name} has the shape {x.shape} of images but the type {x.dtype}: store images as "
            "uint8 in 0..255, or flatten other data to (N, D)."
        )
    check_rows(len(x), name, purpose)
    return Dataset(name, torch.from_numpy(channels_first(x, name)), labels, ImageEncoding)
