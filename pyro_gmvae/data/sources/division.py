"""Divide lines into cells, and name the first line where that cannot be done."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv as arrow_csv

from pyro_gmvae.data.sources.dialect import collapse, rows_of
from pyro_gmvae.errors import InputError


class Place(NamedTuple):
    """Name a file, and count the lines before its rows, for messages.

    >>> Place("customers.csv", before=1).name
    'customers.csv'
    """

    name: str
    before: int


def divide(body: bytes, separator: str, width: int, place: Place, blank_lines: bool) -> pa.Table:
    r"""Divide the rows into columns of text.

    Args:
        body: UTF-8 text without its header.
        separator: the character between cells.
        width: the number of cells in a row.
        place: where the text is from.
        blank_lines: whether a blank line is a row of blank cells, or no row.

    Raises:
        InputError: naming the first line with another number of cells.

    >>> divide(b"1,x\n2,\n", ",", 2, Place("t.csv", 0), False).to_pydict()
    {'0': ['1', '2'], '1': ['x', '']}
    """
    if separator == " ":
        body = collapse(body.decode("utf-8")).encode("utf-8")
    blanks = rb" " if separator == "\t" else rb"[ \t]"
    if blank_lines and body:
        filler = separator.encode() * (width - 1) or b'""'
        body = re.sub(rb"(?m)^%b*$" % blanks, lambda _: filler, body.removesuffix(b"\n"))
    elif b"\n " in body or b"\n\t" in body or body.startswith((b" ", b"\t")):
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
                raise ragged(place.name, place.before + line + 1, len(row), width)
    except csv.Error as error:
        raise InputError(
            f"{place.name} cannot be divided into cells after line {place.before + line + 1} "
            f"({error}): look for a quote that is not closed."
        ) from error


def ragged(name: str, line: int, cells: int, width: int) -> InputError:
    """Make the error of a line that has another number of cells than most."""
    return InputError(
        f"{name} has {cells} cell{'s' * (cells != 1)} in line {line} and {width} in most lines: "
        "give every row the same number of cells."
    )


def lines_of(row: Sequence[str]) -> int:
    """Count the lines of a row, whose quoted cells may hold line breaks."""
    return 1 + sum(cell.count("\n") for cell in row)


def after_lines(data: bytes, count: int) -> bytes:
    """Return what is behind the first lines."""
    end = 0
    for _ in range(count):
        end = data.find(b"\n", end) + 1
        if not end:
            return b""
    return data[end:]


def line_of_row(body: bytes, separator: str, row: int, before: int) -> int | None:
    """Find the line of the file that a row begins on, counted from 1."""
    try:
        rows = rows_of(body.decode("utf-8"), separator)
        found = next(islice(rows, row, None), None)
    except csv.Error:  # a giant cell
        return None
    return None if found is None else before + found[0] + 1
