"""Read what is known about some rows: their clusters, or which of them belong together."""

from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.data.checks import reason
from pyro_gmvae.data.in_memory import as_array
from pyro_gmvae.data.labels import MISSING, factorize, labels_from_array
from pyro_gmvae.data.tables import TABLE_SUFFIXES, read_frame
from pyro_gmvae.errors import InputError


def read_known(path: Path, column: Literal["label", "group"], n_rows: int) -> Int64[Tensor, "rows"]:
    """Read the labels or groups of some rows from a table.

    Args:
        path: a ``.csv`` or ``.parquet`` file with this column. It has a line for each row of the
            data, in their order and empty where nothing is known, or a column ``row`` with the
            numbers of some rows, counted from 0. Integers are kept, -1 counts as empty; text is
            numbered in sorted order.
        column: ``"label"`` for clusters, ``"group"`` for rows that belong together, whatever their
            cluster.
        n_rows: how many rows the data have.

    Returns:
        The numbers ``(n_rows,)``, -1 where nothing is known.

    Raises:
        InputError: for a file that cannot be read, for rows that the data do not have or that are
            named twice, or if the file holds no label or group.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path} of {column}s: check its path.")
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(f"{path} is no .csv or .parquet file of {column}s: save it as one.")
    table = read_frame(path)
    if column in table and "row" not in table:
        table = read_frame(path, blank_lines=True)  # each blank line is a row without a label
        known_at = np.flatnonzero(table[column].notna())
        # Blank lines at the end are no rows.
        table = table.iloc[: max([n_rows, *known_at[-1:] + 1])]
    if column not in table:
        raise InputError(
            f"{path} has no column {column}: give it one, and a column row if only "
            f"some rows have a {column}"
        )
    codes = codes_of(table[column].to_numpy(), str(path), f"{column}s")
    if "row" in table:
        known = torch.full((n_rows,), MISSING)
        known[_rows(table["row"].to_numpy(), path, column, n_rows)] = codes
    elif len(codes) != n_rows:
        raise InputError(
            f"{path} has {len(codes)} {column}s for {n_rows} rows: give one for each, empty where "
            "it is missing, or a column row that says which they are of"
        )
    else:
        known = codes
    if not (known >= 0).any():
        raise InputError(f"{path} holds no {column}: leave it out")
    return known


def known_of_rows(
    values: Any, what: Literal["labels", "groups"], n_rows: int
) -> Int64[Tensor, "rows"]:
    """Read the labels or groups of all rows from an array, tensor or column of integers.

    An entry is -1, None or NaN where nothing is known. Groups may be text as well, empty where
    unknown. A label is the number of its cluster. A data frame of one column will do.

    Raises:
        InputError: for another number of rows, labels that are not integers, or if none is known.
    """
    array = array_of(values, what)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if what == "labels" and array.dtype.kind in "OUS" and _numbers(_cells(array)) is None:
        raise InputError(
            "labels must be integers, for each is the number of its cluster: number them 0, 1, ... "
            "and write -1 where one is unknown"
        )
    known = codes_of(array, "X", what)
    if len(known) != n_rows:
        raise InputError(
            f"there are {len(known)} {what} for {n_rows} rows: give one for each row, -1 where it "
            "is unknown"
        )
    if not (known >= 0).any():
        raise InputError(f"all {what} are missing: give some, or leave them out")
    return known


def array_of(values: Any, what: str) -> np.ndarray:
    """Turn what a user hands over for each row into an array.

    One column ``(N, 1)`` becomes ``(N,)``, unless it is of floats, which may be probabilities.

    Raises:
        InputError: if the rows differ in length or hold lists.
    """
    from pandas.api.types import is_scalar

    try:
        array = np.asarray(as_array(values, what))
    except ValueError as error:  # of a list of lists that differ in length
        raise InputError(f"The {what} of X are no array ({reason(error)}): give one.") from error
    if array.dtype == object and not all(map(is_scalar, array.flat)):
        raise InputError(f"The {what} of X hold lists: give one value for each row.")
    column = array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind != "f"
    return array[:, 0] if column else array


def codes_of(values: np.ndarray, name: str, what: str) -> Int64[Tensor, "rows"]:
    """Give the values ``(N,)`` of any type integer codes; a missing one is -1.

    Raises:
        InputError: as `labels_from_array`.
    """
    if values.ndim == 1 and values.dtype.kind in "OUS":
        cells = [_integer(v) for v in _cells(values)]
        numbers = _numbers(cells)
        if numbers is None:
            return factorize(np.array(cells, dtype=object))[0]
        values = numbers
    return labels_from_array(values, name, what)


def _cells(values: np.ndarray) -> list[Any]:
    """Return the values, None where nothing is known."""
    import pandas

    cells = [v.strip() if isinstance(v, str) else v for v in values.ravel().tolist()]
    return [None if pandas.isna(v) or v in ("", "-1", MISSING) else v for v in cells]


def _integer(cell: Any) -> Any:
    """Turn text into an integer where a blank cell made pandas read a column as text."""
    return int(cell) if isinstance(cell, str) and cell.isdecimal() else cell


def _numbers(cells: list[Any]) -> np.ndarray | None:
    """Return the cells as an array of numbers, or None if a known cell is not a number."""
    if any(not isinstance(v, Real) for v in cells if v is not None):
        return None
    return np.array([MISSING if v is None else v for v in cells], dtype=np.float64)


def _rows(rows: np.ndarray, path: Path, column: str, n_rows: int) -> Int64[Tensor, "rows"]:
    if rows.dtype.kind not in "iu" or ((rows < 0) | (rows >= n_rows)).any():
        raise InputError(f"{path} names rows that are not from 0 to {n_rows - 1}: number them so")
    named, times = np.unique(rows, return_counts=True)
    if (times > 1).any():
        raise InputError(
            f"{path} names row {named[times > 1][0]} more than once: give each row one {column}"
        )
    return torch.from_numpy(rows.astype(np.int64))
