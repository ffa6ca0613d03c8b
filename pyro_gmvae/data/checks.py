"""Check that a model can use rows, and say what is wrong with them."""

import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import cut

# To fit a model takes data that vary; a fitted model can be applied to a single row.
Purpose = Literal["fit", "apply"]

# Differences of numbers in this range neither overflow nor vanish in float64.
LARGEST, SMALLEST = 1e307, 1e-300


class DataWarning(UserWarning, RuntimeWarning):
    """Tell users how their data are read where they may mean something else.

    It is a `RuntimeWarning` too, for the command prints these as one line.

    >>> issubclass(DataWarning, UserWarning)
    True
    """


def listed(names: Iterable[object], limit: int = 5) -> str:
    """Join names by commas; name only the first ``limit``, and count the rest."""
    every = [cut(name) for name in names]
    rest = len(every) - limit
    return ", ".join(every[:limit]) + (f" and {rest} more" if rest > 0 else "")


def check_fraction(part: str, fraction: float) -> None:
    """Refuse a share of the rows that cannot be held out.

    Raises:
        InputError: for a fraction outside [0, 1).

    >>> check_fraction("test", 1.5)
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: The test fraction is 1.5: choose one from 0 up to below 1.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"The {part} fraction is {fraction}: choose one from 0 up to below 1.")


def warn_of_gaps(source: str, told: str, *, stacklevel: int) -> None:
    """Warn that cells of new rows are taken for missing ones.

    Args:
        source: what the rows are called.
        told: which cells, in words.
        stacklevel: as in `warnings.warn`, counted from the caller.

    Warns:
        DataWarning: in any case.
    """
    warnings.warn(
        f"{source} is not like the training rows ({told}): these cells are taken for missing ones.",
        DataWarning,
        stacklevel=stacklevel + 1,
    )


def near_or_all(name: str, names: Sequence[str]) -> str:
    """Say which of the names a wrong one may mean, or else which there are.

    >>> near_or_all("custmer", ["customer", "age"]), near_or_all("x", ["customer", "age"])
    ('did you mean customer?', 'it has customer, age.')
    """
    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]}?" if near else f"it has {listed(names)}."


def reason(error: Exception) -> str:
    """Return what an error of another library says, in a few words, or else its type.

    >>> reason(ValueError("bad\\n  header")), reason(EOFError())
    ('bad header', 'EOFError')
    """
    return " ".join(str(error).split())[:100].rstrip() or type(error).__name__


def check_rows(count: int, name: str, purpose: Purpose) -> None:
    """Raise an `InputError` unless there are enough rows: 2 to fit, 1 to apply."""
    least = 2 if purpose == "fit" else 1
    if count < least:
        raise InputError(
            f"{name} has {count or 'no'} row{'s' * (count != 1)}: give it {least} or more."
        )


def table_tensor(
    values: np.ndarray, columns: Sequence[str] | None, name: str, purpose: Purpose
) -> Float64[Tensor, "rows features"]:
    """Check numbers ``(N, D)`` and return them as a float64 tensor in the same units.

    A cell that is NaN is missing.

    Raises:
        InputError: for too few rows, no columns, cells that are infinite or beyond 1e307, columns
            of numbers that are all below 1e-300, and, when fitting, constant columns.
    """
    check_rows(len(values), name, purpose)
    if values.shape[1] == 0:
        raise InputError(f"{name} has no columns: give it at least one column of numbers.")
    columns = [f"column {i}" for i in range(values.shape[1])] if columns is None else columns
    refuse_extremes(values, columns, name)
    table = values.astype(np.float64)
    gaps = np.isnan(table)
    table[gaps] = np.nan  # gaps have one bit pattern, by which rows are recognised
    size = np.where(gaps, 0.0, np.abs(table))
    largest = size.max(0)
    small = np.flatnonzero((size != 0).any(0) & (largest < SMALLEST))
    if len(small):
        raise InputError(
            f"{name} has columns of numbers that are too small, all below {SMALLEST:g}: multiply "
            f"{listed(columns[i] for i in small.tolist())} by a constant."
        )
    top, bottom = np.where(gaps, -np.inf, table).max(0), np.where(gaps, np.inf, table).min(0)
    constant = np.flatnonzero(top <= bottom)
    if purpose == "fit" and len(constant):
        raise InputError(
            f"{name} has columns with the same value in every row, which say nothing about "
            f"clusters: drop {listed(columns[i] for i in constant.tolist())}."
        )
    return torch.from_numpy(table)


def refuse_extremes(values: np.ndarray, columns: Sequence[str], name: str) -> None:
    """Raise an `InputError` for cells ``(N, D)`` that are infinite or beyond 1e307.

    >>> refuse_extremes(np.array([[1.0], [-np.inf]]), ["spend"], "t")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: t has 1 cell that is infinite, in spend (1): leave it empty, ...
    """
    bad = np.isinf(values)
    if bad.any():
        what, them = ("cell that is", "it") if bad.sum() == 1 else ("cells that are", "them")
        raise InputError(
            f"{name} has {bad.sum()} {what} infinite, in {counted(bad, columns)}: leave {them} "
            f"empty, or correct {them}."
        )
    if values.dtype.kind != "f" or values.dtype.itemsize < 8:
        return
    large = np.abs(values) > LARGEST
    if large.any():
        what, them = ("cell that is", "that column")
        if large.sum() > 1:
            what, them = "cells that are", "those columns"
        raise InputError(
            f"{name} has {large.sum()} {what} too large, beyond {LARGEST:g}, in "
            f"{counted(large, columns)}: divide {them} by a constant."
        )


def counted(cells: np.ndarray, columns: Sequence[str]) -> str:
    """Name the columns of some cells, with the number of cells in each."""
    counts = cells.sum(0)
    return listed(f"{columns[i]} ({counts[i]})" for i in np.flatnonzero(counts).tolist())
