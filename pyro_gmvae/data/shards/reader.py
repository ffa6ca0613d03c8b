"""Read the rows of a table in order, piece by piece, as a schema describes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.shards.cells import Origin
from pyro_gmvae.data.shards.conform import Conformer
from pyro_gmvae.data.shards.parts import PIECE_ROWS, ParquetPart, parts_of

__all__ = ["RawRows", "conforming_rows"]


@dataclass(frozen=True, eq=False)
class RawRows:
    """Hold a piece of a table.

    Attributes:
        x: ``(n, D)`` float64, the columns of the schema in their own units: dates in days since
            1970-01-01, truth values as 0 and 1, text as the codes of its levels, NaN where a cell
            is missing (see `pyro_gmvae.data.Dataset`).
        path: the file that the rows are from.
        first_row: the row of the file that the first one is, counted from 0.

    >>> RawRows(np.array([[52.0]]), Path("t.parquet"), first_row=2).x.tolist()
    [[52.0]]
    """

    x: np.ndarray
    path: Path
    first_row: int


def conforming_rows(
    source: str | Path,
    schema: Schema,
    *,
    takes_gaps: bool = False,
    rows: int = PIECE_ROWS,
    skip: int = 0,
    conformer: Conformer | None = None,
) -> Iterator[RawRows]:
    """Give all rows of a table in the order of the source, a piece at a time.

    No more than a piece is in memory. The numbers are those that `pyro_gmvae.data.load` and
    `pyro_gmvae.data.TableEncoding.conform` give. Columns that the schema does not have are not
    read.

    Args:
        source: a Parquet file, a folder of them, or a file of text (see
            `pyro_gmvae.data.shards.can_stream`).
        schema: the columns in training.
        takes_gaps: whether a file may lack a column, which is then missing in all its rows.
        rows: rows of a piece, at most.
        skip: how many rows at the start are left out; they are not brought to the schema.
        conformer: counts what becomes a gap, where the caller wants to know; its schema counts.

    Warns:
        DataWarning: at the end, once for all that became a gap, unless a ``conformer`` is given.

    Raises:
        InputError: if a file cannot be read, lacks a column, or has a cell that is not as in
            training; it names the file, the column and the row.

    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> from pyro_gmvae.data.schema import Column
    >>> with TemporaryDirectory() as folder:
    ...     frame = pandas.DataFrame({"age": [30, 41, 52], "name": ["a", "b", "c"]})
    ...     frame.to_parquet(f"{folder}/t.parquet")
    ...     pieces = list(conforming_rows(f"{folder}/t.parquet", Schema((Column("age"),)), rows=2))
    >>> [(piece.first_row, piece.x.tolist()) for piece in pieces]
    [(0, [[30.0], [41.0]]), (2, [[52.0]])]
    """
    own = Conformer(schema, takes_gaps=takes_gaps) if conformer is None else conformer
    for part in parts_of(source):
        if isinstance(part, ParquetPart) and part.n_rows <= skip:
            skip -= part.n_rows
            continue
        first = 0
        for piece in part.pieces(own.names, rows):
            passed = min(skip, len(piece))
            piece, skip, first = piece.slice(passed), skip - passed, first + passed
            if not len(piece):
                continue
            x = own.rows(piece, Origin(str(part.path), first))
            yield RawRows(x, part.path, first)
            first += len(piece)
    if conformer is None:
        own.warn(str(source))
