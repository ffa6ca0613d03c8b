"""Turn table files and pandas data frames whose columns are numbers into data sets."""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pyro_gmvae.data.checks import Purpose, check_rows, counted, listed, table_tensor
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.labels import factorize
from pyro_gmvae.data.left_out import without_information
from pyro_gmvae.data.sources.files import PACKED, TABLE_SUFFIXES, read_frame, read_table
from pyro_gmvae.data.sources.raw import STANDARD_INPUT
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import pandas

__all__ = ["TABLE_SUFFIXES", "from_frame", "load_table", "read_frame"]

LineOf = Callable[[int], int | None]


def load_table(
    path: Path,
    *,
    label_column: str | None = None,
    purpose: Purpose = "fit",
    keep: Sequence[str] = (),
    label_may_lack: bool = False,
) -> Dataset:
    """Read a table file; see `pyro_gmvae.data.sources.files.read_table` and `from_frame`.

    The ``notes`` of the data set say what was guessed, and which columns were left out.

    Raises:
        InputError: if the file cannot be read, or if `from_frame` refuses its columns.
    """
    table = read_table(path)
    if label_may_lack and label_column not in [str(c) for c in table.frame.columns]:
        label_column = None
    name = Path(path.stem).stem if path.suffix.lower() == PACKED else path.stem
    if str(path) == STANDARD_INPUT:
        name = "standard input"
    return _from_frame(
        table.frame, name, label_column, purpose, keep, tuple(table.notes), table.line_of
    )


def from_frame(
    frame: "pandas.DataFrame",
    *,
    name: str = "table",
    label_column: str | None = None,
    purpose: Purpose = "fit",
    keep: Sequence[str] = (),
) -> Dataset:
    """Check a data frame and turn it into a data set of kind `TableEncoding`.

    Columns that say nothing about clusters are left out to fit: constant ones, and those that only
    number the rows. The data set's ``left_out`` names them.

    Args:
        frame: N rows of D columns of numbers (or booleans), besides the label column.
        name: the name of the data set in messages.
        label_column: the column whose values, of any type, become ``class_labels``, numbered in
            sorted order; a missing one is -1.
        purpose: ``"apply"`` accepts a single row, and keeps all columns.
        keep: columns that are not left out.

    Raises:
        InputError: for an unknown label column, columns that are not numbers, cells that are
            missing or infinite, only constant columns, too few rows.

    >>> import pandas
    >>> frame = pandas.DataFrame({"width": [1.5, 2.5], "country": [1, 1]})
    >>> from_frame(frame).feature_names
    ('width',)
    """
    return _from_frame(frame, name, label_column, purpose, keep, (), None)


def _from_frame(
    frame: "pandas.DataFrame",
    name: str,
    label_column: str | None,
    purpose: Purpose,
    keep: Sequence[str],
    notes: tuple[str, ...],
    line_of: LineOf | None,
) -> Dataset:
    frame = frame.rename(columns=str)
    y, class_names = None, None
    if label_column is not None:
        if label_column not in frame.columns:
            near = difflib.get_close_matches(label_column, frame.columns, 1)
            known = f"did you mean {near[0]}?" if near else f"it has {listed(frame.columns)}."
            raise InputError(f"{name} has no label column {label_column}: {known}")
        y, class_names = factorize(frame[label_column].to_numpy())
        frame = frame.drop(columns=label_column)
    check_rows(len(frame), name, purpose)
    _refuse_text(frame, name, line_of)
    columns = tuple(frame.columns)
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse_gaps(values, columns, name, line_of)
    left_out: tuple[str, ...] = ()
    if purpose == "fit":
        places, more = without_information(values, columns, keep)
        left_out, notes = tuple(columns[i] for i in places), (*notes, *more)
        columns = tuple(np.delete(np.array(columns, dtype=object), places).tolist())
        values = np.delete(values, places, axis=1)
    x = table_tensor(values, columns, name, purpose)
    return Dataset(name, x, y, TableEncoding, columns, class_names, notes=notes, left_out=left_out)


def _refuse_text(frame: "pandas.DataFrame", name: str, line_of: LineOf | None) -> None:
    """Refuse columns that are not numbers, and show the first such cell of each."""
    from pandas.api.types import is_complex_dtype, is_numeric_dtype

    text = [
        i
        for i, kind in enumerate(frame.dtypes)
        if not is_numeric_dtype(kind) or is_complex_dtype(kind)
    ]
    if not text:
        return
    from pyro_gmvae.data.sources.columns import first_not_number
    from pyro_gmvae.data.sources.numerals import shown

    found = []
    for i in text[:5]:
        row = first_not_number(frame.iloc[:, i])
        cell = "" if row is None else f" ({_at(row, line_of)} holds {shown(frame.iat[row, i])})"
        found.append(f"{frame.columns[i]}{cell}")
    raise InputError(
        f"{name} has columns that are not numbers: {listed([*found, *text[5:]])}; drop them, turn "
        "them into numbers, or name the one that holds the labels as the label column."
    )


def _refuse_gaps(
    values: np.ndarray, columns: Sequence[str], name: str, line_of: LineOf | None
) -> None:
    gaps = np.isnan(values)
    total = int(gaps.sum())
    if total:
        row, column = (int(i) for i in np.argwhere(gaps)[0])
        raise InputError(
            f"{name} has {total} missing cell{'s' * (total > 1)}, the first in "
            f"{_at(row, line_of)} of {columns[column]}, in all in {counted(gaps, columns)}: "
            "missing values are not supported yet, so fill them or drop those rows or columns."
        )


def _at(row: int, line_of: LineOf | None) -> str:
    """Name a row, counted from 0, and the line of the file that it is on."""
    line = None if line_of is None else line_of(row)
    return f"row {row}" if line is None else f"row {row}, line {line},"
