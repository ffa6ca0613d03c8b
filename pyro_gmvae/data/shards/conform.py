"""Bring pieces of a table to the columns of a schema, and count what became a gap on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pyro_gmvae.data.checks import listed, near_or_all, warn_of_gaps
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.shards.cells import Origin, matched_cells
from pyro_gmvae.data.sources.columnar import simple_columns
from pyro_gmvae.errors import InputError

__all__ = ["Conformer"]

CACHED_ROWS = 4_096
MOST_NAMED = 20  # unseen cells of a column that are kept to be named


class Conformer:
    """Turn pieces of a table into the rows that a schema describes.

    Args:
        schema: the columns in training; they have names.
        takes_gaps: whether a piece may lack a column, which is then missing in all its rows.

    Attributes:
        unseen: for each column the number of cells that became gaps since the schema has no such
            level.
        absent: the columns that a piece lacked.

    Raises:
        InputError: for a schema whose columns have no names.

    >>> from pyro_gmvae.data.schema import Column
    >>> conformer = Conformer(Schema((Column("visits", "count"), Column("spend"))))
    >>> conformer.rows(pa.table({"spend": [0.5, None], "visits": [3, 4]}), Origin("t.parquet"))
    array([[3. , 0.5],
           [4. , nan]])
    """

    def __init__(self, schema: Schema, *, takes_gaps: bool = False) -> None:
        if schema.names is None:
            raise InputError(
                "the columns in training had no names, by which the columns of shards are found: "
                "train on a table with names"
            )
        self.schema = schema
        self.names = schema.names
        self.takes_gaps = takes_gaps
        self.unseen: Counter[str] = Counter()
        self.absent: dict[str, None] = {}
        self._examples: dict[str, dict[str, None]] = {}

    def rows(self, table: pa.Table, origin: Origin) -> np.ndarray:
        """Return the rows ``(n, D)`` of a piece, float64, NaN where a cell is missing.

        Raises:
            InputError: if a column is missing where it may not, or for a cell that is not as in
                training; it names the file, the column and the cell.
        """
        names, columns, _ = simple_columns(table)
        found = dict(zip(names, columns, strict=True))
        self._check(names, origin)
        values = []
        for name, column in zip(self.names, self.schema.columns, strict=True):
            if name not in found:
                values.append(np.full(len(table), np.nan))
                continue
            cells = matched_cells(found[name], column, origin)
            values.append(cells.values)
            if cells.unseen:
                self.unseen[name] += cells.n_unseen
                examples = self._examples.setdefault(name, {})
                examples |= dict.fromkeys(cells.unseen[: MOST_NAMED - len(examples)])
        return _as_rows(values, len(table))

    def told(self) -> str | None:
        """Say what became a gap so far, in words that follow "the cells"; None if nothing did."""
        lost = [
            f"{listed(map(repr, self._examples[name]), 3)} in {name} "
            f"({count} cell{'s' * (count != 1)})"
            for name, count in self.unseen.items()
        ]
        lost += [f"no column {name}" for name in self.absent]
        return listed(lost) if lost else None

    def warn(self, source: str) -> None:
        """Warn, once for all pieces, of what became a gap.

        Warns:
            DataWarning: if anything did.
        """
        told = self.told()
        if told is not None:
            warn_of_gaps(source, told, stacklevel=2)

    def _check(self, names: Sequence[str], origin: Origin) -> None:
        lacking = [name for name in self.names if name not in names]
        if not lacking:
            return
        if not self.takes_gaps or len(lacking) == len(self.names):
            raise InputError(
                f"{origin.source} lacks the column {lacking[0]}: {near_or_all(lacking[0], names)}"
            )
        self.absent |= dict.fromkeys(lacking)


def _as_rows(columns: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Put columns side by side, so many rows at a time as the processor's cache holds."""
    rows = np.empty((n, len(columns)))
    for first in range(0, n, CACHED_ROWS):
        some = slice(first, first + CACHED_ROWS)
        for place, column in enumerate(columns):
            rows[some, place] = column[some]
    return rows
