"""Turn labels of any type into integers."""

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

MISSING = -1


def factorize(values: np.ndarray) -> tuple[Int64[Tensor, "rows"], tuple[str, ...]]:
    """Give the distinct values of ``(N,)`` numbers from 0 in sorted order; a missing one is -1.

    Returns:
        The codes ``(N,)`` and the name of each class.

    Raises:
        InputError: for a label that is a list or another object of several values.
    """
    import pandas

    if values.dtype == object:
        odd = [v for v in values if not pandas.api.types.is_scalar(v)]
        if odd:
            raise InputError(
                f"a label is {shortened(odd[0])}: give each row one number or text as its label."
            )
    if values.dtype == object:  # mixed types cannot be sorted, but their text can
        values = np.array([None if pandas.isna(v) else str(v) for v in values], dtype=object)
    codes, classes = pandas.factorize(values, sort=True)
    return torch.from_numpy(codes.astype(np.int64)), tuple(str(c) for c in classes)


def labels_from_array(values: np.ndarray, name: str, what: str = "labels") -> Int64[Tensor, "rows"]:
    """Read the labels stored beside an array: keep integers as they are, and number text.

    Args:
        values: ``(N,)``; NaN and -1 mean that a label is missing.
        name: the name of the data set in messages.
        what: the word for the labels in messages.

    Raises:
        InputError: if the labels are not one integer or text for each row.
    """
    if values.ndim != 1:
        raise InputError(
            f"The {what} of {name} have shape {values.shape}: give one for each row, shape (N,)."
        )
    if values.dtype.kind in "US":
        return factorize(values)[0]
    if values.dtype.kind not in "biuf":
        raise InputError(f"The {what} of {name} are of type {values.dtype}: use integers or text.")
    whole = np.where(np.isnan(values), MISSING, values) if values.dtype.kind == "f" else values
    with np.errstate(invalid="ignore"):  # an infinite label differs from its code
        codes = whole.astype(np.int64)
    if (codes != whole).any() or (codes < MISSING).any():
        raise InputError(
            f"The {what} of {name} hold fractions or numbers below -1: number them 0, 1, ... and "
            "write -1 where one is missing."
        )
    return torch.from_numpy(codes)
