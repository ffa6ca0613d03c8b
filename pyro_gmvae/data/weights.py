"""Check the weights of rows, and draw rows in proportion to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from pyro_gmvae.data.in_memory import as_array
from pyro_gmvae.errors import InputError

__all__ = ["checked_weights", "systematic_counts", "weights_of_rows"]


def weights_of_rows(values: Any, n_rows: int) -> Float64[Tensor, "rows"] | None:
    """Read the weights of all rows from an array, tensor, list or column, or one number for all.

    Raises:
        InputError: for another number of rows, or as `checked_weights`.

    >>> weights_of_rows([2, 1, 0], 3).tolist(), weights_of_rows(np.ones(3), 3)
    ([2.0, 1.0, 0.0], None)
    """
    try:
        array = np.asarray(as_array(values, "sample_weight"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("sample_weight holds more than numbers: give numbers from 0 on") from error
    if array.ndim == 0:
        array = np.full(n_rows, array)
    elif array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (n_rows,):
        raise InputError(
            f"sample_weight has the shape {array.shape} for {n_rows} rows: give one weight for "
            "each row"
        )
    return checked_weights(array, "sample_weight", lambda row: f"row {row}")


def checked_weights(
    weights: np.ndarray, name: str, place: Callable[[int], str]
) -> Float64[Tensor, "rows"] | None:
    """Check the weights ``(N,)`` of rows, NaN where one is missing.

    Whole numbers say how often a row was seen, and stay as they are. Others, such as those of a
    survey, say how much of a population a row stands for; they are scaled to a mean of 1, so that
    there count as many rows as there are.

    Args:
        weights: the numbers.
        name: what they are called in messages.
        place: names a row in messages, by its number.

    Returns:
        The weights, or None if all are 1, which changes nothing.

    Raises:
        InputError: for a weight that is negative, missing or infinite, or if all are zero.

    >>> checked_weights(np.array([0.5, 1.5]), "w", str).tolist()  # a mean of 1
    [0.5, 1.5]
    >>> checked_weights(np.array([2.0, -1.0]), "w", lambda row: f"row {row}")
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: w has the weight -1 in row 1: give each row a finite weight...
    """
    bad = ~np.isfinite(weights) | (weights < 0)
    if bad.any():
        row = int(bad.argmax())
        value = weights[row]
        what = "no weight" if np.isnan(value) else f"the weight {value:g}"
        raise InputError(
            f"{name} has {what} in {place(row)}: give each row a finite weight from 0 on"
        )
    if not (weights > 0).any():
        raise InputError(f"{name} is zero in all rows: give some rows a weight above zero")
    if (weights != np.floor(weights)).any():
        weights = weights / weights.max()  # the sum of large ones would be infinite
        weights = weights / weights.mean()
    return None if (weights == 1).all() else torch.from_numpy(weights.copy())


def systematic_counts(
    weights: Float[Tensor, "rows"], n: int, offset: Float[Tensor, ""] | float
) -> Int64[Tensor, "rows"]:
    r"""Count how often systematic sampling draws each row when it draws ``n`` in all.

    The count of a row is :math:`n w_i / \sum_j w_j`, rounded down or up, and on average over
    offsets exactly that.

    Args:
        weights: positive or zero, shape ``(N,)``.
        n: number of draws.
        offset: uniform on [0, 1), on the device of ``weights``; no value is read back.

    >>> systematic_counts(torch.tensor([2.0, 1.0, 0.0, 1.0]), 4, 0.5).tolist()
    [2, 1, 0, 1]
    """
    ends = weights.double().cumsum(0)
    ends = n * (ends / ends[-1])  # the last one is n exactly
    marks = (ends + offset).floor()
    return torch.diff(marks, prepend=marks.new_zeros(1)).long()
