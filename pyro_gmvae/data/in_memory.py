"""Bring tensors, sparse matrices, lists of arrays and masked arrays to plain NumPy arrays."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyro_gmvae.data.checks import listed
from pyro_gmvae.errors import InputError
from pyro_gmvae.process.memory import check_memory

__all__ = ["as_array"]


def as_array(values: Any, name: str = "X") -> Any:
    """Turn a tensor, a sparse matrix, a list of arrays or a masked array into a NumPy array.

    Other values, such as an array, a data frame or a list of lists, are returned as they are.

    Args:
        values: a tensor of any device, layout and type, with or without gradient; a sparse matrix
            or array of SciPy; or N arrays, tensors or pictures of one shape, which become the rows.
        name: what the values are called in messages.

    Returns:
        The array. Types that NumPy does not know, such as bfloat16, become float32. A masked cell
        becomes NaN.

    Raises:
        InputError: for arrays of several shapes, or of types that are no numbers or text, masked
            images, tensors without values, or sparse ones that do not fit into memory when dense.

    >>> as_array(torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True)).dtype
    dtype('float32')
    >>> as_array([np.zeros((4, 4)), np.ones((4, 4))]).shape
    (2, 4, 4)
    """
    if isinstance(values, Tensor):
        return _from_tensor(values, name)
    if hasattr(values, "toarray"):  # only sparse matrices have it
        return _plain(_from_sparse(values, name), name)
    if isinstance(values, list | tuple) and values and all(map(_is_array, values)):
        return _stacked([np.asarray(as_array(v, name)) for v in values], name)
    if isinstance(values, np.ma.MaskedArray):
        return _unmasked(values, name)
    return _plain(values, name) if isinstance(values, np.ndarray) else values


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or hasattr(value, "__array_interface__")


def _from_sparse(values: Any, name: str) -> np.ndarray:
    """Make a matrix of SciPy dense: training reads every cell, zeros included."""
    _check_dense(prod(values.shape) * values.dtype.itemsize, name)
    return values.toarray()


def _stacked(arrays: Sequence[np.ndarray], name: str) -> np.ndarray:
    shapes = list(dict.fromkeys(a.shape for a in arrays))
    if len(shapes) > 1:
        raise InputError(
            f"{name} is a list of arrays of different shapes, {listed(shapes)}: resize or crop "
            "them to one."
        )
    return np.stack(arrays)


def _unmasked(values: np.ma.MaskedArray, name: str) -> np.ndarray:
    if not np.ma.is_masked(values):
        return values.data
    if values.ndim > 2:
        raise InputError(f"{name} has masked pixels, which images cannot have: fill them.")
    return np.ma.filled(values.astype(np.float64), np.nan)


def _plain(values: np.ndarray, name: str) -> np.ndarray:
    """Refuse types that are no plain numbers or text, and bring long doubles to float64."""
    if values.dtype.kind in "VMm":
        raise InputError(
            f"{name} is an array of type {values.dtype}: give the data frame that "
            f"pandas.DataFrame({name}) makes of it, or plain numbers."
        )
    if values.dtype.kind != "f" or values.dtype.itemsize <= 8:
        return values
    with np.errstate(over="ignore"):  # it is reported below
        double = values.astype(np.float64)
    if (np.isinf(double) & ~np.isinf(values)).any():
        raise InputError(f"{name} has numbers that are too large for float64: divide them.")
    return double


def _from_tensor(values: Tensor, name: str) -> np.ndarray:
    values = values.detach()
    if values.is_nested:
        raise InputError(
            f"{name} is a nested tensor, whose rows differ in size: bring them to one size."
        )
    if values.is_meta:
        raise InputError(f"{name} is a tensor without values, on the device meta: load them.")
    if values.is_quantized:
        values = values.dequantize()
    if values.layout != torch.strided:
        _check_dense(values.numel() * values.element_size(), name)
        values = values.to_dense()
    if values.is_floating_point() and values.element_size() < 4:
        values = values.float()
    return values.cpu().resolve_conj().resolve_neg().numpy()


def _check_dense(size: int, name: str) -> None:
    """Refuse sparse data that take more memory as a dense array than there is, in bytes."""
    hint = "use fewer rows or columns, such as the leading components of a TruncatedSVD"
    check_memory(size, f"{name} as a dense array", hint)
