"""Read a large table once before it is trained on: check every cell, count rows and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.shards.conform import Conformer
from pyro_gmvae.data.shards.groups import Group
from pyro_gmvae.data.shards.parts import Part
from pyro_gmvae.errors import InputError

__all__ = ["Survey", "check_same_columns", "survey"]

LEAST_GAPS = 1e-4  # the share that a schema says of a column with a gap, at least


@dataclass(frozen=True, eq=False)
class Survey:
    """Hold what one pass over all rows found.

    Attributes:
        n_rows: the rows.
        gaps: ``(D,)`` int64, the missing cells of each column.
        extremes: ``(2, D)`` float64, the smallest and the greatest cell of each column; NaN for a
            column without a cell.
        unseen: in words, which cells became gaps since the sample had none of their level; None if
            none did.

    >>> from pyro_gmvae.data.schema import Column
    >>> extremes = torch.tensor([[18.0], [90.0]], dtype=torch.float64)
    >>> found = Survey(n_rows=200, gaps=np.array([50]), extremes=extremes, unseen=None)
    >>> found.applied(Schema((Column("age"),))).columns[0].gaps
    0.25
    """

    n_rows: int
    gaps: np.ndarray
    extremes: Float64[Tensor, "2 columns"]
    unseen: str | None

    def applied(self, schema: Schema) -> Schema:
        """Give the columns of a schema the share of gaps that all rows have."""
        shares = [
            max(LEAST_GAPS, round(int(count) / self.n_rows, 4)) if count else 0.0
            for count in self.gaps
        ]
        columns = zip(schema.columns, shares, strict=True)
        return replace(schema, columns=tuple(replace(c, gaps=share) for c, share in columns))


def survey(groups: Sequence[Group], schema: Schema) -> Survey:
    """Read all rows by the schema of a sample.

    Args:
        groups: all row groups.
        schema: the columns, as a sample of the rows describes them.

    Raises:
        InputError: for the first cell that is not as in the sample, such as text in a column of
            numbers; it names the file, the column and the row.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> from pyro_gmvae.data.schema import Column
    >>> from pyro_gmvae.data.shards.groups import groups_of
    >>> from pyro_gmvae.data.shards.parts import ParquetPart
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.parquet")
    ...     pandas.DataFrame({"age": [41.0, None, 63.0]}).to_parquet(path)
    ...     groups = groups_of([ParquetPart(path)], np.array([], dtype=int))
    ...     found = survey(groups, Schema((Column("age"),)))
    >>> found.n_rows, found.gaps.tolist(), found.extremes.flatten().tolist()
    (3, [1], [41.0, 63.0])
    """
    conformer = Conformer(schema)
    width = len(schema)
    gaps = np.zeros(width, dtype=np.int64)
    least, greatest = np.full(width, np.inf), np.full(width, -np.inf)
    n_rows = 0
    for group in groups:
        rows = group.read(conformer, whole=True)
        n_rows += len(rows)
        gaps += np.isnan(rows).sum(0)
        least = np.fmin(least, np.fmin.reduce(rows, 0, initial=np.inf))
        greatest = np.fmax(greatest, np.fmax.reduce(rows, 0, initial=-np.inf))
    empty = gaps == n_rows
    extremes = torch.from_numpy(np.where(empty, np.nan, np.stack([least, greatest])))
    return Survey(n_rows, gaps, extremes, conformer.told())


def check_same_columns(parts: Sequence[Part]) -> None:
    """Refuse files of which one has other columns than the first.

    Raises:
        InputError: naming the file and the column.

    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> from pyro_gmvae.data.shards.parts import parts_of
    >>> with TemporaryDirectory() as folder:
    ...     pandas.DataFrame({"age": [41]}).to_parquet(f"{folder}/a.parquet")
    ...     pandas.DataFrame({"size": [1.8]}).to_parquet(f"{folder}/b.parquet")
    ...     check_same_columns(parts_of(folder))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: ...b.parquet lacks the column age, which ...a.parquet has: ...
    """
    first = parts[0]
    for part in parts[1:]:
        lacking = [n for n in first.names if n not in part.names]
        added = [n for n in part.names if n not in first.names]
        if lacking or added:
            differs = f"lacks the column {lacking[0]}" if lacking else f"has a column {added[0]}"
            than = "has" if lacking else "lacks"
            raise InputError(
                f"{part.path} {differs}, which {first.path} {than}: give all shards the same "
                "columns"
            )
