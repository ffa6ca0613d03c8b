"""What somebody knows of some rows: their clusters, or which of them belong together."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.data.labels import MISSING, factorize, labels_from_array
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
    import pandas

    if not path.is_file():
        raise InputError(f"There is no file {path} of {column}s: check its path.")
    try:
        table = pandas.read_parquet(path) if path.suffix == ".parquet" else pandas.read_csv(path)
    except Exception as error:
        raise InputError(f"{path} cannot be read as a table of {column}s: {error}") from error
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

    Groups may be text as well, empty where unknown; a label is the number of its cluster.

    Raises:
        InputError: for another number of rows, labels that are no integers, or if none is known.
    """
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if what == "labels" and array.dtype.kind in "OUS":
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
    if values.ndim == 1 and values.dtype == object:
        return factorize(values)[0]
    return labels_from_array(values, name, what)


def _rows(rows: np.ndarray, path: Path, column: str, n_rows: int) -> Int64[Tensor, "rows"]:
    if rows.dtype.kind not in "iu" or ((rows < 0) | (rows >= n_rows)).any():
        raise InputError(f"{path} names rows that are not from 0 to {n_rows - 1}: number them so")
    named, times = np.unique(rows, return_counts=True)
    if (times > 1).any():
        raise InputError(
            f"{path} names row {named[times > 1][0]} more than once: give each row one {column}"
        )
    return torch.from_numpy(rows.astype(np.int64))
