"""Hold the training rows of a table that is larger than memory, and divide such a table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float64
from torch import Tensor

from pyro_gmvae.data.checks import Purpose
from pyro_gmvae.data.columns.conform import conform_columns
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.dataset import Splits
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.shards.batches import ShardBatches
from pyro_gmvae.data.shards.copy import parquet_copy
from pyro_gmvae.data.shards.groups import Group, groups_of
from pyro_gmvae.data.shards.parts import parts_of
from pyro_gmvae.data.shards.sample import drawn_rows, read_rows
from pyro_gmvae.data.shards.survey import check_same_columns, survey
from pyro_gmvae.data.sources.columnar import typed_table
from pyro_gmvae.data.sources.columns import type_columns
from pyro_gmvae.data.sources.delimited import frame_of_columns
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.data.tables import from_table

__all__ = ["Stream", "stream_splits"]


@dataclass(frozen=True, eq=False)
class Stream:
    """Hold all training rows of a table by where they are.

    Attributes:
        groups: the row groups, which know the rows that are held out.
        schema: the columns.
        sizes: the bytes of each file, by which a change is noticed.
        extremes: ``(2, D)``, the smallest and the greatest cell of each column; None where the rows
            were not looked at.
        copied: the folder of a copy that is removed with this object; None if there is none.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> from pyro_gmvae.data.schema import Column
    >>> from pyro_gmvae.data.shards.parts import ParquetPart
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.parquet")
    ...     pandas.DataFrame({"age": range(25)}).to_parquet(path, row_group_size=10)
    ...     groups = groups_of([ParquetPart(path)], np.array([7]))
    ...     stream = Stream(groups, Schema((Column("age"),)), (path.stat().st_size,))
    >>> stream.n_rows  # row 7 is held out
    24
    """

    groups: tuple[Group, ...]
    schema: Schema
    sizes: tuple[int, ...]
    extremes: Float64[Tensor, "2 columns"] | None = None
    copied: TemporaryDirectory[str] | None = None

    @property
    def n_rows(self) -> int:
        """Return the number of training rows."""
        return sum(group.n_trained for group in self.groups)

    def digest(self) -> str:
        """Return a digest of the numbers of rows and bytes of the files."""
        said = repr(([g.n_rows for g in self.groups], self.sizes))
        return hashlib.sha256(said.encode()).hexdigest()

    def batches(
        self,
        batch_size: int,
        *,
        sampled: Float64[Tensor, "n columns"],
        lanes: int = 1,
        transform: Callable[[Tensor], Tensor] | None = None,
        device: torch.device | str = "cpu",
    ) -> ShardBatches:
        """Batch the training rows; see `pyro_gmvae.data.shards.batches.ShardBatches`."""
        return ShardBatches(
            self.groups,
            self.schema,
            batch_size,
            sampled=sampled,
            lanes=lanes,
            transform=transform,
            device=device,
        )


def stream_splits(
    source: str | Path,
    *,
    seed: int,
    validation_fraction: float,
    test_fraction: float,
    least_validation: int,
    label_column: str | None = None,
    schema: Schema | None = None,
    wishes: Wishes | None = None,
) -> Splits:
    """Divide a table that is larger than memory.

    The parts hold a uniform sample of the rows: up to 100,000 for training, 10,000 each for
    validation and testing. The schema is made of them. The ``stream`` of the result has all rows
    but those held out. A first pass reads the sample. Unless a schema is given, a second one checks
    each cell, and counts gaps. A file of text is copied to Parquet, in the system's folder for
    temporary files, for as long as the result is used.

    Args:
        source: as in `pyro_gmvae.data.shards.parts_of`.
        seed, validation_fraction, test_fraction, least_validation: as in
            `pyro_gmvae.data.shards.sample.drawn_rows`.
        label_column: the column that becomes ``class_labels`` of the sample.
        schema: the columns, where a training described them; nothing is checked again.
        wishes: what the user says about the columns, where they were not described.

    Raises:
        InputError: if a file cannot be read, has other columns than the first, or holds a cell that
            is not as the others of its column; it names the file, the column and the row.

    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> with TemporaryDirectory() as folder:
    ...     frame = pandas.DataFrame({"age": [41.5, 52.0, 63.0, 70.5] * 100})
    ...     frame.to_parquet(f"{folder}/t.parquet")
    ...     splits = stream_splits(
    ...         f"{folder}/t.parquet", seed=0, validation_fraction=0.1, test_fraction=0.2,
    ...         least_validation=10,
    ...     )
    >>> len(splits.validation), len(splits.test), splits.stream.n_rows
    (32, 80, 288)
    """
    given = parts_of(source)
    check_same_columns(given)
    sizes = tuple(part.path.stat().st_size for part in given)
    parts, copied = parquet_copy(given)
    n_rows = sum(part.n_rows for part in parts)
    drawn = drawn_rows(
        n_rows,
        seed=seed,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        least_validation=least_validation,
    )
    places = np.sort(np.concatenate(drawn))
    table = _table(read_rows(parts, places), as_text=copied is not None)
    purpose: Purpose = "fit" if schema is None else "apply"
    data = from_table(table, Path(source).stem, label_column, purpose=purpose, wishes=wishes)
    data = replace(data, places=torch.from_numpy(places))
    groups = groups_of(parts, drawn.held_out)
    extremes = None
    if schema is not None:
        data = conform_columns(data, schema, takes_gaps=True)
    else:
        assert data.schema is not None  # a table is described to train on it
        found = survey(groups, data.schema)
        schema, extremes = found.applied(data.schema), found.extremes
        notes = [f"{n_rows:,} rows are read in stream; a sample of {len(data):,} is in memory"]
        if found.unseen is not None:
            notes.append(f"cells like none of the sample are taken for gaps: {found.unseen}")
        data = replace(data, schema=schema, notes=(*data.notes, *notes))
    stream = Stream(groups, schema, sizes, extremes, copied)
    train, validation, test = (
        data.subset(torch.from_numpy(np.searchsorted(places, part))) for part in drawn
    )
    return Splits(train, validation, test, stream)


def _table(rows: pa.Table, *, as_text: bool) -> Table:
    """Type the columns of some rows; cells of text are typed as those of a file of text."""
    if not as_text:
        return typed_table(rows)
    columns, notes = type_columns(rows.columns, rows.column_names)
    frame = frame_of_columns(columns)
    frame.columns = rows.column_names
    return Table(frame, tuple(notes))
