"""Read text whose cells are parted by commas, semicolons, tabs, bars or blanks."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from pyro_gmvae.data.sources.columns import type_columns
from pyro_gmvae.data.sources.dialect import (
    COMMENT_MARKS,
    SEPARATORS,
    Dialect,
    collapse,
    guess_dialect,
    rows_of,
)
from pyro_gmvae.data.sources.encoding import to_utf8
from pyro_gmvae.data.sources.header import has_header, unique_names, without_nameless
from pyro_gmvae.data.sources.numerals import MISSING_WORDS, shown
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import pandas


class Place(NamedTuple):
    """Name a file, and count the lines before its rows, for messages."""

    name: str
    before: int


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
    dialect = guess_dialect(data)
    if not dialect.rows:
        raise InputError(f"{name} is empty: give it a header line and rows of numbers.")
    notes = [encoded] if encoded else []
    headed = has_header(dialect.rows)
    names, notes_on_names = _names(dialect.rows[0]) if headed else ([], [])
    # A header may be one cell short: of a trailing separator, or of the column of row names.
    width = dialect.width if headed and len(dialect.rows) > 1 else len(dialect.rows[0])
    if headed and len(names) not in (width, width - 1):
        raise _ragged(name, dialect.skip + 1, len(names), width)
    before = dialect.skip + (_lines_of(dialect.rows[0]) if headed else 0)
    body = _after_lines(data, before)
    cells = _parse(body, dialect.separator, width, Place(name, before), blank_lines)
    if headed:
        names = _whole(cells, names, name, dialect.skip + 1)
    typed, notes_on_cells = type_columns(
        cells.columns,
        names or [f"column {i}" for i in range(width)],
        separator=dialect.separator,
        missing=missing,
    )
    frame = _frame(typed)
    if headed:
        frame, dropped = without_nameless(frame, names, name)
    else:
        frame, dropped = _headless(frame)
    notes += [*_told(dialect, headed), *notes_on_names, *dropped, *notes_on_cells]

    def line_of(row: int) -> int | None:
        return None if blank_lines else _line_of(body, dialect.separator, row, before)

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
    raise _ragged(name, line, len(names), cells.num_columns)


def _headless(frame: "pandas.DataFrame") -> tuple["pandas.DataFrame", list[str]]:
    """Name columns by number, and leave out the one that a separator at the end adds."""
    frame.columns = [f"column {i}" for i in range(frame.shape[1])]
    if frame.shape[1] > 1 and len(frame) and frame.iloc[:, -1].isna().all():
        return frame.iloc[:, :-1], ["the separator at the end of the lines adds no column"]
    return frame, []


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
        notes.append("there is no header: the columns are named column 0, column 1, ...")
    return notes


def _parse(body: bytes, separator: str, width: int, place: Place, blank_lines: bool) -> pa.Table:
    """Divide the rows into columns of text."""
    if separator == " ":
        body = collapse(body.decode("utf-8")).encode("utf-8")
    blanks = rb" " if separator == "\t" else rb"[ \t]"
    if blank_lines and body:
        filler = separator.encode() * (width - 1) or b'""'
        body = re.sub(rb"(?m)^%b*$" % blanks, lambda _: filler, body.removesuffix(b"\n"))
    else:
        body = re.sub(rb"(?m)^%b+$" % blanks, b"", body)
    columns = [str(i) for i in range(width)]
    if not body.strip(b"\n"):
        return pa.table({c: pa.chunked_array([pa.array([], pa.string())]) for c in columns})
    if body.count(b'"') % 2:
        _refuse_fault(body, separator, width, place)
    # Arrow refuses a line that is longer than two blocks; a quoted cell may hold many lines.
    longest = max(map(len, io.BytesIO(body)))
    for block in dict.fromkeys((max(1 << 22, longest), len(body) if b'"' in body else longest)):
        try:
            return arrow_csv.read_csv(
                pa.BufferReader(body),
                read_options=arrow_csv.ReadOptions(
                    column_names=columns, block_size=min(max(block, 1 << 22), 2**31 - 1)
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            fault = error
    _refuse_fault(body, separator, width, place)
    raise InputError(
        f"{place.name} cannot be divided into cells ({str(fault).splitlines()[0][:200]}): give "
        "every row the same number of cells."
    ) from fault


def _refuse_fault(body: bytes, separator: str, width: int, place: Place) -> None:
    """Name the first line that has another number of cells, or a quote that is never closed."""
    line = 0
    try:
        for line, row in rows_of(body.decode("utf-8"), separator, strict=True):  # noqa: B007
            if len(row) != width:
                raise _ragged(place.name, place.before + line + 1, len(row), width)
    except csv.Error as error:
        raise InputError(
            f"{place.name} cannot be divided into cells after line {place.before + line + 1} "
            f"({error}): look for a quote that is not closed."
        ) from error


def _ragged(name: str, line: int, cells: int, width: int) -> InputError:
    return InputError(
        f"{name} has {cells} cell{'s' * (cells != 1)} in line {line} and {width} in most lines: "
        "give every row the same number of cells."
    )


def _lines_of(row: Sequence[str]) -> int:
    """Count the lines of a row, whose quoted cells may hold line breaks."""
    return 1 + sum(cell.count("\n") for cell in row)


def _after_lines(data: bytes, count: int) -> bytes:
    """Return what is behind the first lines."""
    end = 0
    for _ in range(count):
        end = data.find(b"\n", end) + 1
        if not end:
            return b""
    return data[end:]


def _line_of(body: bytes, separator: str, row: int, before: int) -> int | None:
    """Find the line of the file that a row begins on, counted from 1."""
    try:
        rows = rows_of(body.decode("utf-8"), separator)
        found = next(islice(rows, row, None), None)
    except csv.Error:  # a giant cell
        return None
    return None if found is None else before + found[0] + 1


def _frame(columns: Sequence[pa.ChunkedArray]) -> "pandas.DataFrame":
    """Make a pandas frame; a missing whole number makes its column one of floats."""
    table = pa.table({str(i): column for i, column in enumerate(columns)})
    frame: pandas.DataFrame = table.to_pandas()
    for i, column in enumerate(columns):
        if pa.types.is_boolean(column.type) and column.null_count:
            frame[str(i)] = frame[str(i)].astype("boolean")
    return frame
