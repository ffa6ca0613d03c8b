"""Load tables: ``.csv``, ``.parquet`` and pandas data frames whose columns are numbers."""

import difflib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pyro_gmvae.data.checks import Purpose, listed, table_tensor
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.labels import factorize
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.turns import turn

if TYPE_CHECKING:
    import pandas


TABLE_SUFFIXES = (".csv", ".parquet")


class MissingLabelColumn(InputError):
    """Report a table without the label column, which a trained model does not need."""


def load_table(path: Path, *, label_column: str | None = None, purpose: Purpose = "fit") -> Dataset:
    """Read a ``.csv`` (separated by commas, semicolons, tabs or bars) or a ``.parquet`` file.

    A ``.csv`` whose first line holds only numbers has no header: its columns are named
    ``column 0``, ``column 1``, ...

    Raises:
        InputError: if the file cannot be read, or if `from_frame` refuses its columns.
    """
    return from_frame(read_frame(path), name=path.stem, label_column=label_column, purpose=purpose)


def read_frame(path: Path, *, blank_lines: bool = False) -> "pandas.DataFrame":
    """Read the columns of a ``.csv`` or ``.parquet`` file as they are.

    Args:
        path: the file.
        blank_lines: whether a blank line of a ``.csv`` is a row of missing values, or no row.

    Raises:
        InputError: if the file cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    return _read_csv(path, blank_lines)


def from_frame(
    frame: "pandas.DataFrame",
    *,
    name: str = "table",
    label_column: str | None = None,
    purpose: Purpose = "fit",
) -> Dataset:
    """Check a data frame and turn it into a data set of kind `TableEncoding`.

    Args:
        frame: N rows of D columns of numbers (or booleans), besides the label column.
        name: the name of the data set in messages.
        label_column: the column whose values, of any type, become ``class_labels``, numbered in
            sorted order; a missing one is -1.
        purpose: ``"apply"`` accepts a single row and constant columns.

    Raises:
        InputError: for an unknown label column, columns that are not numbers, cells that are NaN or
            infinite, constant columns, too few rows.
    """
    frame = frame.rename(columns=str)
    y, class_names = None, None
    if label_column is not None:
        if label_column not in frame.columns:
            near = difflib.get_close_matches(label_column, frame.columns, 1)
            known = f"did you mean {near[0]}?" if near else f"it has {listed(frame.columns)}."
            raise MissingLabelColumn(f"{name} has no label column {label_column}: {known}")
        y, class_names = factorize(frame[label_column].to_numpy())
        frame = frame.drop(columns=label_column)
    _refuse_text(frame, name)
    columns = tuple(frame.columns)
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    x = table_tensor(values, columns, name, purpose)
    return Dataset(name, x, y, TableEncoding, columns, class_names)


def _refuse_text(frame: "pandas.DataFrame", name: str) -> None:
    from pandas.api.types import is_complex_dtype, is_numeric_dtype

    text = [c for c, t in frame.dtypes.items() if not is_numeric_dtype(t) or is_complex_dtype(t)]
    if len(frame) and text:
        example = frame[text[0]].dropna()
        shown = f" (the first holds {str(example.iloc[0])[:30]!r})" if len(example) else ""
        raise InputError(
            f"{name} has columns that are not numbers: {listed(text)}{shown}; drop them, turn them "
            "into numbers, or name the one that holds the labels as the label column."
        )


def _read_parquet(path: Path) -> "pandas.DataFrame":
    import pandas

    try:
        return pandas.read_parquet(path)
    except (ValueError, OSError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise InputError(
            f"{path} is not a readable parquet file ({_first_line(error)}): write it again."
        ) from error


def _read_csv(path: Path, blank_lines: bool) -> "pandas.DataFrame":
    import pandas

    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline()
        separator = max(",;\t|", key=first.count)
        cells = [cell.strip().strip('"') for cell in first.split(separator)]
        headless = all(_is_number(cell) for cell in cells)
        with turn(), warnings.catch_warnings():
            # Without index_col=False a surplus cell shifts its row; with it, pandas only warns.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                path,
                sep=separator,
                header=None if headless else 0,
                index_col=False,
                skip_blank_lines=not blank_lines,
                encoding="utf-8-sig",
                low_memory=False,
            )
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8 .csv.") from error
    except pandas.errors.EmptyDataError as error:
        raise InputError(f"{path} is empty: give it a header line and rows of numbers.") from error
    # pandas' ParserError is a ValueError, its ParserWarning is not.
    except (ValueError, OSError, pandas.errors.ParserWarning) as error:
        raise InputError(
            f"{path} is not a readable .csv file ({_first_line(error)}): give every row the same "
            "number of cells."
        ) from error
    if headless:
        return frame.rename(columns=lambda i: f"column {i}")
    nameless = [i for i, c in enumerate(frame.columns) if c == f"Unnamed: {i}"]
    if nameless:
        # Such a column is mostly row numbers from to_csv, which would dominate the clusters.
        raise InputError(
            f"{path} has no name in its header for column {listed(nameless)}, counted from 0: "
            "name it, or leave it out if it only numbers the rows."
        )
    return frame


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
