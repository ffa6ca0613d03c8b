"""Read text whose cells are parted by commas, semicolons, tabs, bars or blanks."""

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_numeric_dtype

from pyro_gmvae.data.checks import listed
from pyro_gmvae.data.numerals import MISSING_WORDS, shown
from pyro_gmvae.data.sources.columns import type_columns
from pyro_gmvae.data.sources.dialect import COMMENT_MARKS, SEPARATORS, Dialect, guess_dialect
from pyro_gmvae.data.sources.division import (
    Place,
    after_lines,
    divide,
    line_of_row,
    lines_of,
    ragged,
)
from pyro_gmvae.data.sources.encoding import to_utf8
from pyro_gmvae.data.sources.header import has_header, unique_names, without_nameless
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import pandas


MAX_COLUMNS = 100_000


def read_delimited(
    data: bytes,
    name: str,
    *,
    blank_lines: bool = False,
    missing: Sequence[str] = MISSING_WORDS,
) -> Table:
    r"""Read a table of text, and guess its encoding, separator, header and decimal mark.

    Args:
        data: the bytes of a file.
        name: the name of the file in messages.
        blank_lines: whether a blank line is a row of missing values, or no row.
        missing: the words for a missing value in columns of numbers.

    Raises:
        InputError: if the bytes are no text, or lines differ in their number of cells.

    >>> read_delimited(b"spend;visits\n10,85;3\n8,5;4\n", "t.csv").frame
       spend  visits
    0  10.85       3
    1   8.50       4
    """
    data, encoded = to_utf8(data, name)
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        dialect = guess_dialect(data)
    except csv.Error as error:
        raise InputError(
            f"{name} is no table of text that can be read ({error}, in its first lines): leave out "
            "the column of such long cells."
        ) from error
    if not dialect.rows:
        raise InputError(f"{name} is empty: give it a header line and rows of numbers.")
    if dialect.width > MAX_COLUMNS:
        raise InputError(
            f"{name} has lines of {dialect.width} cells, more than the {MAX_COLUMNS} columns that "
            "are read: save it as .npy, or give every row a line of its own."
        )
    notes = [encoded] if encoded else []
    headed = has_header(dialect.rows)
    names, notes_on_names = _names(dialect.rows[0]) if headed else ([], [])
    # A header may be one cell short: of a trailing separator, or of the column of row names.
    width = dialect.width if headed and len(dialect.rows) > 1 else len(dialect.rows[0])
    if headed and len(names) not in (width, width - 1):
        raise ragged(name, dialect.skip + 1, len(names), width)
    before = dialect.skip + (lines_of(dialect.rows[0]) if headed else 0)
    body = after_lines(data, before)
    cells = divide(body, dialect.separator, width, Place(name, before), blank_lines)
    if headed:
        names = _whole(cells, names, name, dialect.skip + 1)
    typed, notes_on_cells = type_columns(
        cells.columns,
        names or [f"column {i}" for i in range(width)],
        separator=dialect.separator,
        missing=missing,
    )
    frame = frame_of_columns(typed)
    if headed:
        frame, dropped = without_nameless(frame, names, name)
    else:
        frame, dropped = _headless(frame)
    if b'"' in body:
        dropped += _line_breaks(frame)
    notes += [*_told(dialect, headed), *notes_on_names, *dropped, *notes_on_cells]

    def line_of(row: int) -> int | None:
        return None if blank_lines else line_of_row(body, dialect.separator, row, before)

    return Table(frame, tuple(notes), line_of)


def _names(row: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take the names of the columns from the header, which may begin with a comment mark."""
    first = row[0].lstrip()
    if first.startswith(COMMENT_MARKS):
        first = first.lstrip("#%/")
    return unique_names([first, *row[1:]])


def _whole(cells: pa.Table, names: list[str], name: str, line: int) -> list[str]:
    """Fill a header that is one cell short by a blank name."""
    if len(names) == cells.num_columns:
        return names
    first, last = cells.column(0), cells.column(cells.num_columns - 1)
    if pc.all(pc.equal(pc.utf8_trim_whitespace(last), "")).as_py():
        return [*names, ""]
    if len(cells) > 1 and len(pc.unique(first)) == len(cells):
        return ["", *names]
    raise ragged(name, line, len(names), cells.num_columns)


def _headless(frame: "pandas.DataFrame") -> tuple["pandas.DataFrame", list[str]]:
    """Name columns by number, and leave out the one that a separator at the end adds."""
    frame.columns = [f"column {i}" for i in range(frame.shape[1])]
    if frame.shape[1] > 1 and len(frame) and frame.iloc[:, -1].isna().all():
        return frame.iloc[:, :-1], ["the separator at the end of the lines adds no column"]
    return frame, []


def _line_breaks(frame: "pandas.DataFrame") -> list[str]:
    """Say which columns hold line breaks, for rows that a stray quote joins look so."""
    texts = [c for c, kind in frame.dtypes.items() if not is_numeric_dtype(kind)]
    broken = [c for c in texts if frame[c].str.contains("\n").any()]
    return [f"quoted cells of {listed(broken)} hold line breaks"] if broken else []


def _told(dialect: Dialect, headed: bool) -> list[str]:
    """Say what was guessed about the lines, where it is not the usual."""
    notes = []
    if dialect.separator not in (",", "\t") and dialect.width > 1:
        word = SEPARATORS.get(dialect.separator, f"the signs {dialect.separator!r}")
        notes.append(f"{word} separate the columns")
    if dialect.comments:
        lines = "line is" if len(dialect.comments) == 1 else f"{len(dialect.comments)} lines are"
        notes.append(
            f"the first {lines} taken for a title or a comment: {shown(dialect.comments[0])}"
        )
    if not headed:
        notes.append("there is no header, so the columns are numbered from column 0 on")
    return notes


def frame_of_columns(columns: Sequence[pa.ChunkedArray]) -> "pandas.DataFrame":
    """Make a pandas frame; a missing whole number makes its column one of floats."""
    table = pa.table({str(i): column for i, column in enumerate(columns)})
    frame: pandas.DataFrame = table.to_pandas()
    for i, column in enumerate(columns):
        if pa.types.is_boolean(column.type) and column.null_count:
            frame[str(i)] = frame[str(i)].astype("boolean")
    return frame
