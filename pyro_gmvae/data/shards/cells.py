"""Bring the cells of an Arrow column to what the same column was in training, fast.

The numbers are those of `pyro_gmvae.data.columns.match.match_column`, which decides wherever a
column is not simply of the type in training. Of text it sees each different cell of a piece once.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pyro_gmvae.data.checks import LARGEST
from pyro_gmvae.data.columns.dates import MICROSECONDS
from pyro_gmvae.data.columns.match import Matched, match_column
from pyro_gmvae.data.columns.raw import RawColumn, read_column
from pyro_gmvae.data.numerals import MISSING_WORDS
from pyro_gmvae.data.schema import Column
from pyro_gmvae.errors import InputError

__all__ = ["Cells", "Origin", "is_text", "matched_cells"]

_GAPS = pa.array(sorted({"", *(word.lower() for word in MISSING_WORDS)}))


@dataclass(frozen=True)
class Origin:
    """Say where the cells of a piece are from.

    Attributes:
        source: the file, for messages.
        first_row: the row of the file that the first cell is in, counted from 0.

    >>> Origin("part-7.parquet", first_row=1_000).source
    'part-7.parquet'
    """

    source: str
    first_row: int = 0


@dataclass(frozen=True, eq=False)
class Cells:
    """Hold the cells of a piece of a column as the schema has them.

    Attributes:
        values: ``(n,)`` float64, NaN where a cell is missing, or is of no level in training.
        unseen: the different cells that became gaps since training had none of their kind.
        n_unseen: how many cells these are.

    >>> cells = Cells(np.array([0.0, np.nan, np.nan]), unseen=("bronze",), n_unseen=2)
    >>> cells.unseen, cells.n_unseen
    (('bronze',), 2)
    """

    values: np.ndarray
    unseen: tuple[str, ...] = ()
    n_unseen: int = 0


def matched_cells(cells: pa.ChunkedArray, column: Column, origin: Origin) -> Cells:
    """Find the values, codes or days of the cells of a piece.

    Args:
        cells: the cells, of any type but a nested one.
        column: the column in training.
        origin: where the cells are from.

    Raises:
        InputError: for a cell that is not as in training; it names the file, the column and the
            row.

    >>> tier = Column("tier", "category", "text", levels=("gold", "silver"))
    >>> found = matched_cells(pa.chunked_array([["silver", None, "bronze"]]), tier, Origin("f"))
    >>> found.values, found.unseen
    (array([ 1., nan, nan]), ('bronze',))
    """
    kind = cells.type
    if pa.types.is_null(kind):
        return Cells(np.full(len(cells), np.nan))
    if is_text(kind):
        return _text(cells, column, origin)
    if column.cells == "number" and (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        return _numbers(_floats(cells), column, origin)
    if column.cells == "boolean" and pa.types.is_boolean(kind):
        return Cells(_floats(pc.cast(cells, pa.uint8())))
    if column.cells == "date" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return Cells(_days(cells))
    series = cells.to_pandas().rename(column.name)
    return _as_matched(read_column(series, origin.source), column, origin)


def is_text(kind: pa.DataType) -> bool:
    """Return True for text, be it in codes.

    >>> is_text(pa.string()), is_text(pa.int64())
    (True, False)
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _floats(cells: pa.ChunkedArray) -> np.ndarray:
    values: np.ndarray = pc.cast(cells, pa.float64(), safe=False).to_numpy()
    return values


def _days(cells: pa.ChunkedArray) -> np.ndarray:
    """Return days since 1970-01-01 in UTC, which is how Arrow keeps times of any zone."""
    if pa.types.is_date32(cells.type):
        return _floats(pc.cast(cells, pa.int32()))
    zone = getattr(cells.type, "tz", None)
    exact = pc.cast(cells, pa.timestamp("us", zone), safe=False)
    return _floats(pc.cast(exact, pa.int64())) / MICROSECONDS


def _numbers(values: np.ndarray, column: Column, origin: Origin) -> Cells:
    """Check numbers; those with levels are looked up only where one of them has none."""
    far = np.abs(values) > LARGEST
    if far.any():
        row = int(np.flatnonzero(far)[0])
        raise InputError(
            f"{origin.source} holds {values[row]:g} in row {origin.first_row + row} of "
            f"{column.name}, which is too large: correct the cell, or leave it empty."
        )
    if column.has_levels:
        levels = np.array(column.levels, dtype=np.float64)
        near = levels[np.minimum(np.searchsorted(levels, values), len(levels) - 1)]
        if ((near == values) | np.isnan(values)).all():
            return Cells(values)
    elif column.kind != "count":
        return Cells(values)
    return _as_matched(RawColumn(column.name, "number", values), column, origin)


def _text(cells: pa.ChunkedArray, column: Column, origin: Origin) -> Cells:
    if column.cells == "number":
        numbers = _written_numbers(cells)
        if numbers is not None:
            return _numbers(numbers, column, origin)
    coded = cells if pa.types.is_dictionary(cells.type) else pc.dictionary_encode(cells)
    found, first = [], origin.first_row
    for chunk in coded.chunks:
        found.append(_chunk(chunk, column, replace(origin, first_row=first)))
        first += len(chunk)
    if not found:
        return Cells(np.zeros(0))
    unseen = dict.fromkeys(name for piece in found for name in piece.unseen)
    values = np.concatenate([piece.values for piece in found])
    return Cells(values, tuple(unseen), sum(piece.n_unseen for piece in found))


def _written_numbers(cells: pa.ChunkedArray) -> np.ndarray | None:
    """Read numbers that are written as text; None where a cell is no plain number and no gap."""
    if pa.types.is_dictionary(cells.type):
        found = []
        for chunk in cells.chunks:
            numbers = _written_numbers(pa.chunked_array([chunk.dictionary]))
            if numbers is None:
                return None
            found.append(np.append(numbers, np.nan)[_places(chunk)])
        return np.concatenate([np.zeros(0), *found])
    bare = pc.utf8_trim_whitespace(cells)
    known = pc.if_else(pc.is_in(pc.utf8_lower(bare), _GAPS), None, bare)
    try:
        return _floats(pc.cast(known, pa.float64()))
    except pa.ArrowInvalid:
        return None


def _chunk(chunk: pa.DictionaryArray, column: Column, origin: Origin) -> Cells:
    """Match the different cells of a piece, and give each cell the value of its own."""
    levels = tuple(_stripped(v) for v in chunk.dictionary.to_pylist())
    codes = np.array([np.nan if v == "" else i for i, v in enumerate(levels)], dtype=np.float64)
    places = _places(chunk)
    names = RawColumn(column.name, "text", codes, levels)
    try:
        matched = match_column(names, column, origin.source, origin.first_row)
    except InputError:
        # Again with all cells, so that the message has the row of the first odd one.
        every = replace(names, values=np.append(codes, np.nan)[places])
        match_column(every, column, origin.source, origin.first_row)
        raise
    values = np.append(matched.values, np.nan)[places]
    if not matched.unseen:
        return Cells(values)
    lost = np.append(np.isin(np.array(levels, dtype=object), matched.unseen), False)
    return Cells(values, matched.unseen, int(lost[places].sum()))


def _places(chunk: pa.DictionaryArray) -> np.ndarray:
    """Return the code of each cell; that of a missing one is the number of levels."""
    codes = pc.fill_null(pc.cast(chunk.indices, pa.int64()), len(chunk.dictionary))
    places: np.ndarray = codes.to_numpy()
    return places


def _stripped(text: Any) -> str:
    return "" if text is None else unicodedata.normalize("NFC", text.strip())


def _as_matched(raw: RawColumn, column: Column, origin: Origin) -> Cells:
    found: Matched = match_column(raw, column, origin.source, origin.first_row)
    lost = int((np.isnan(found.values) & ~np.isnan(raw.values)).sum()) if found.unseen else 0
    return Cells(found.values, found.unseen, lost)
