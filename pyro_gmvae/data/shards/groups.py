"""Find the row groups of a table, and read the training rows of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyro_gmvae.data.shards.cells import Origin
from pyro_gmvae.data.shards.conform import Conformer
from pyro_gmvae.data.shards.parts import ParquetPart
from pyro_gmvae.errors import InputError

__all__ = ["Group", "groups_of"]


@dataclass(frozen=True, eq=False)
class Group:
    """Say where a row group is, and which of its rows are not trained on.

    Attributes:
        part: its file.
        index: its number in the file.
        first_row: its first row, counted in the file.
        n_rows: its rows.
        held_out: ``(H,)`` int64, increasing: its rows that are held out, counted in the group.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> from pyro_gmvae.data.schema import Column, Schema
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.parquet")
    ...     pandas.DataFrame({"age": [41, 52, 63]}).to_parquet(path)
    ...     group = Group(ParquetPart(path), 0, first_row=0, n_rows=3, held_out=np.array([1]))
    ...     rows = group.read(Conformer(Schema((Column("age"),))))
    >>> rows.tolist(), group.n_trained
    ([[41.0], [63.0]], 2)
    """

    part: ParquetPart
    index: int
    first_row: int
    n_rows: int
    held_out: np.ndarray

    @property
    def n_trained(self) -> int:
        """Return the number of rows that are trained on."""
        return self.n_rows - len(self.held_out)

    def read(self, conformer: Conformer, *, whole: bool = False) -> np.ndarray:
        """Read the rows ``(n, D)`` as the schema of ``conformer`` has them.

        Args:
            conformer: finds the columns of the schema.
            whole: whether rows that are held out are read too.

        Raises:
            InputError: if the file cannot be read or has changed, or a row does not fit.
        """
        table = self.part.read(self.index, conformer.names)
        if len(table) != self.n_rows:
            raise InputError(
                f"{self.part.shown} has changed since it was opened: leave it as it is while it is "
                "read, and start again"
            )
        rows = conformer.rows(table, Origin(str(self.part.shown), self.first_row))
        return rows if whole or not len(self.held_out) else np.delete(rows, self.held_out, 0)


def groups_of(parts: Sequence[ParquetPart], held_out: np.ndarray) -> tuple[Group, ...]:
    """List the row groups of some files.

    Args:
        parts: the files in the order of the source.
        held_out: ``(H,)`` int64, increasing: the rows of the source that are held out.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.parquet")
    ...     pandas.DataFrame({"age": range(250)}).to_parquet(path, row_group_size=100)
    ...     groups = groups_of([ParquetPart(path)], np.array([7, 120, 130]))
    >>> [(g.first_row, g.n_rows, g.n_trained) for g in groups]
    [(0, 100, 99), (100, 100, 98), (200, 50, 50)]
    """
    found, place = [], 0
    for part in parts:
        first = 0
        for index, n in enumerate(part.group_rows):
            low, high = np.searchsorted(held_out, [place, place + n])
            found.append(Group(part, index, first, n, held_out[low:high] - place))
            place, first = place + n, first + n
    return tuple(found)
