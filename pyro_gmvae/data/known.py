"""What somebody knows of some rows: their clusters, or which of them belong together."""

from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.data.labels import MISSING, factorize, labels_from_array
from pyro_gmvae.data.tables import TABLE_SUFFIXES, read_frame
from pyro_gmvae.errors import InputError


def read_known(path: Path, column: Literal["label", "group"], n_rows: int) -> Int64[Tensor, "rows"]:
    """Labels or groups of some rows, from a table.

    Args:
        path: a .csv or .parquet file with this column: for all rows in their order, empty where
            nothing is known; or, with a column `row` (from 0), for those rows alone. Integers are
            kept, -1 is as good as empty; text is numbered in sorted order.
        column: `"label"` for clusters, `"group"` for what belongs together, whatever its cluster.
        n_rows: how many rows the data have.

    Returns:
        The numbers `(n_rows,)`, -1 where nothing is known.

    Raises:
        InputError: for a file that cannot be read, rows that are not there or are there twice, or
            one that tells nothing.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path} of {column}s: check its path.")
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(f"{path} is no .csv or .parquet file of {column}s: save it as one.")
    table = read_frame(path)
    if column in table and "row" not in table:
        table = read_frame(path, blank_lines=True)  # each is a row of which nothing is known
        known_at = np.flatnonzero(table[column].notna())
        table = table.iloc[: max(n_rows, *known_at[-1:] + 1)]  # but not those after the end
    if column not in table:
        raise InputError(
            f"{path} has no column {column}: give it one, and a column row if only some"
        )
    codes = _codes(table[column].to_numpy(), str(path), f"{column}s")
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
    """The same from an array, tensor or column of one integer for each row, -1 where unknown.

    None and NaN are as good as -1. Groups may be text as well, empty where unknown; a label is the
    number of its cluster.

    Raises:
        InputError: for another number of rows, labels that are no integers, or if none is known.
    """
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if what == "labels" and array.dtype.kind in "OUS" and _numbers(_cells(array)) is None:
        raise InputError(
            "labels must be integers, for each is the number of its cluster: number them 0, 1, ... "
            "and write -1 where one is unknown"
        )
    known = _codes(array, "X", what)
    if len(known) != n_rows:
        raise InputError(
            f"there are {len(known)} {what} for {n_rows} rows: give one for each row, -1 where it "
            "is unknown"
        )
    if not (known >= 0).any():
        raise InputError(f"all {what} are missing: give some, or leave them out")
    return known


def _codes(values: np.ndarray, name: str, what: str) -> Int64[Tensor, "rows"]:
    if values.ndim == 1 and values.dtype.kind in "OUS":
        cells = [_integer(v) for v in _cells(values)]
        numbers = _numbers(cells)
        if numbers is None:
            return factorize(np.array(cells, dtype=object))[0]
        values = numbers
    return labels_from_array(values, name, what)


def _cells(values: np.ndarray) -> list[Any]:
    """The values, None where nothing is known."""
    import pandas

    cells = [v.strip() if isinstance(v, str) else v for v in values.ravel().tolist()]
    return [None if pandas.isna(v) or v in ("", "-1", MISSING) else v for v in cells]


def _integer(cell: Any) -> Any:
    """An integer that was read as text, for a cell of its column was blank."""
    return int(cell) if isinstance(cell, str) and cell.isdecimal() else cell


def _numbers(cells: list[Any]) -> np.ndarray | None:
    """The cells as an array of numbers, if all that are known are numbers."""
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
