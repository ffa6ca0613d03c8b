"""Labels of any type, as integers."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.errors import InputError

MISSING = -1


def factorize(values: np.ndarray) -> tuple[Int64[Tensor, "rows"], tuple[str, ...]]:
    """Numbers the distinct values of `(N,)` 0, 1, ... in sorted order; a missing one is -1.

    Returns:
        The codes `(N,)` and the name of each class.
    """
    import pandas

    if values.dtype == object:  # mixed types cannot be sorted, their names can
        values = np.array([None if pandas.isna(v) else str(v) for v in values], dtype=object)
    codes, classes = pandas.factorize(values, sort=True)
    return torch.from_numpy(codes.astype(np.int64)), tuple(str(c) for c in classes)


def labels_from_array(values: np.ndarray, name: str) -> Int64[Tensor, "rows"]:
    """Labels stored beside an array: integers are kept as they are, text is factorised.

    Args:
        values: `(N,)`; NaN and -1 mean that a label is missing.
        name: of the data set, for messages.

    Raises:
        InputError: if they are not one integer or text per row.
    """
    if values.ndim != 1:
        raise InputError(
            f"The labels y of {name} have shape {values.shape}: give one label per row, shape (N,)."
        )
    if values.dtype.kind in "US":
        return factorize(values)[0]
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"The labels y of {name} are of type {values.dtype}: use integers or text."
        )
    whole = np.where(np.isnan(values), MISSING, values) if values.dtype.kind == "f" else values
    codes = whole.astype(np.int64)
    if (codes != whole).any() or (codes < MISSING).any():
        raise InputError(
            f"The labels y of {name} hold fractions or numbers below -1: number the classes "
            "0, 1, ... and write -1 for a missing label."
        )
    return torch.from_numpy(codes)


def read_given_labels(path: Path, n_rows: int) -> Int64[Tensor, "rows"]:
    """Clusters that somebody knows of some rows, from a table.

    Args:
        path: a .csv or .parquet file with a column `label`: for all rows in their order, empty
            where a label is missing; or, with a column `row` (from 0), for those rows alone.
            Integers name clusters; text is numbered in sorted order.
        n_rows: how many rows the data have.

    Returns:
        The labels `(n_rows,)`, -1 where there is none.

    Raises:
        InputError: for a file that cannot be read, rows that are not there, or no label at all.
    """
    import pandas

    if not path.is_file():
        raise InputError(f"There is no file {path} of labels: check its path.")
    try:
        table = pandas.read_parquet(path) if path.suffix == ".parquet" else pandas.read_csv(path)
    except Exception as error:
        raise InputError(f"{path} cannot be read as a table of labels: {error}") from error
    if "label" not in table:
        raise InputError(f"{path} has no column label: give it one, and a column row if only some")
    values = table["label"].to_numpy()
    if values.dtype == object:
        codes, _ = factorize(values)
    else:
        codes = labels_from_array(values, str(path))
    if "row" in table:
        rows = table["row"].to_numpy()
        if rows.dtype.kind not in "iu" or ((rows < 0) | (rows >= n_rows)).any():
            raise InputError(
                f"{path} names rows that are not from 0 to {n_rows - 1}: number them so"
            )
        given = torch.full((n_rows,), MISSING)
        given[torch.from_numpy(rows.astype(np.int64))] = codes
    elif len(codes) != n_rows:
        raise InputError(
            f"{path} has {len(codes)} labels for {n_rows} rows: give one for each, empty where it "
            "is missing, or a column row that says which they are of"
        )
    else:
        given = codes
    if not (given >= 0).any():
        raise InputError(f"{path} holds no label: leave it out")
    return given
