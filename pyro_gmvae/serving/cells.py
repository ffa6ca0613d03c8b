"""Bring the cells that programs hand over to Arrow, whatever holds them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pyarrow as pa

from pyro_gmvae.data.in_memory import as_array
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

__all__ = ["cells_of", "table_of"]

CELL = (str, Real, Decimal, date, np.bool_)


def table_of(columns: Mapping[str, Any], source: str) -> pa.Table:
    """Return a table of columns, by their names.

    Args:
        columns: N cells of each column, as `cells_of` takes them.
        source: the name of the table in messages.

    Raises:
        InputError: for columns of different lengths, and as `cells_of`.

    >>> table_of({"age": np.array([30.5, 41.0]), "tier": ["gold", None]}, "rows").num_rows
    2
    """
    cells = {name: cells_of(values, name, source) for name, values in columns.items()}
    lengths = sorted((len(column), name) for name, column in cells.items())
    if lengths and lengths[0][0] != lengths[-1][0]:
        (n, fewest), (m, most) = lengths[0], lengths[-1]
        raise InputError(
            f"{source} has {n} cells in {fewest} and {m} in {most}: give every column a cell for "
            "each row."
        )
    return pa.table(cells)


def cells_of(values: Any, name: str, source: str) -> pa.Array | pa.ChunkedArray:
    """Return the cells of a column.

    Args:
        values: ``(N,)`` numbers, truth values, dates, durations (in days) or text, as an array of
            NumPy or Arrow, a tensor, a list, or anything that NumPy makes an array of. NaN, NaT,
            None and a null of Arrow are gaps.
        name: the name of the column in messages.
        source: the name of the table in messages.

    Raises:
        InputError: for more than one axis, complex numbers, and cells that are lists or other
            objects.

    >>> cells_of([True, None], "member", "rows").to_pylist()
    [True, None]
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    array = _array(values, name)
    if array.ndim != 1:
        raise InputError(
            f"{source} has an array of shape {array.shape} as the column {name}: give one value "
            "for each row."
        )
    kind = array.dtype.kind
    if kind == "c":
        raise InputError(f"{source} has complex numbers in {name}: give real numbers.")
    if kind == "M":
        return pa.array(array.astype("datetime64[us]"))
    if kind == "m":
        return pa.array(array / np.timedelta64(1, "D"))
    if kind in "fiub":
        return pa.array(array)
    objects = array.astype(object)
    try:
        return pa.array(objects, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):  # of several types
        return _texts(objects, name, source)


def _array(values: Any, name: str) -> np.ndarray:
    """Make an array of NumPy; those of dates and objects need nothing, and tensors do."""
    if isinstance(values, list | tuple):
        return np.array(values, dtype=object)
    dtype = getattr(values, "dtype", None)
    plain = dtype is None or getattr(dtype, "kind", "") in ("M", "m", "O", "c")
    return np.asarray(values if plain else as_array(values, name))


def _texts(cells: np.ndarray, name: str, source: str) -> pa.Array:
    """Write cells of several types as text, in which numbers and dates are found again."""
    from pandas import isna

    gaps = [isna(value) is True for value in cells]  # of a list it gives an array
    for row, (value, gap) in enumerate(zip(cells, gaps, strict=True)):
        if not gap and not isinstance(value, CELL):
            raise InputError(
                f"{source} holds {shortened(value)} in row {row} of {name}: give a number, a text "
                "or a date."
            )
    texts = [None if gap else str(value) for value, gap in zip(cells, gaps, strict=True)]
    return pa.array(texts, pa.string())
