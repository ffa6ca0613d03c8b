"""Draw the rows of a large table that are kept in memory: a sample to train from, rows held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pyro_gmvae.data.checks import check_fraction
from pyro_gmvae.data.schema import Column
from pyro_gmvae.data.shards.cells import Origin, is_text, matched_cells
from pyro_gmvae.data.shards.parts import ParquetPart
from pyro_gmvae.errors import InputError

__all__ = ["HELD_OUT_ROWS", "SAMPLE_ROWS", "Drawn", "drawn_rows", "read_rows"]

# Training rows in memory: schema, scale, starts and pictures are made of them.
SAMPLE_ROWS = 100_000
HELD_OUT_ROWS = 10_000  # rows for validation, and for testing, at most


class Drawn(NamedTuple):
    """Hold rows of a table by their places, each array ``(n,)`` int64 and increasing.

    >>> drawn = Drawn(np.array([0, 2, 5]), np.array([4]), np.array([1, 3]))
    >>> drawn.held_out.tolist()
    [1, 3, 4]
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def held_out(self) -> np.ndarray:
        """Return the rows that are not trained on."""
        return np.sort(np.concatenate([self.validation, self.test]))


def drawn_rows(
    n_rows: int,
    *,
    seed: int,
    validation_fraction: float,
    test_fraction: float,
    least_validation: int,
) -> Drawn:
    """Draw disjoint sets of rows uniformly; they depend on the number of rows and the seed alone.

    Args:
        n_rows: the rows of the table.
        seed: the seed.
        validation_fraction: the share to hold out of the rows that are not for testing, up to
            10,000 rows.
        test_fraction: the share of all rows to hold out for testing, up to 10,000 rows.
        least_validation: the fewest rows that are worth holding out for validation.

    Raises:
        InputError: for fractions outside [0, 1), or if no row would stay.

    >>> options = dict(validation_fraction=0.1, test_fraction=0.1, least_validation=50)
    >>> [len(part) for part in drawn_rows(1_000_000, seed=0, **options)]
    [100000, 10000, 10000]
    """
    for part, fraction in (("test", test_fraction), ("validation", validation_fraction)):
        check_fraction(part, fraction)
    test = min(round(test_fraction * n_rows), HELD_OUT_ROWS)
    validation = min(round(validation_fraction * (n_rows - test)), HELD_OUT_ROWS)
    if validation < least_validation:
        validation = 0
    train = min(n_rows - test - validation, SAMPLE_ROWS)
    if train < 1:
        raise InputError(
            f"the table has {n_rows} rows, which are too few to hold some out: give it more rows"
        )
    rng = np.random.default_rng(seed)
    chosen = rng.choice(n_rows, train + validation + test, replace=False)
    parts = np.split(chosen, [train, train + validation])
    return Drawn(*(np.sort(part) for part in parts))


def read_rows(parts: Sequence[ParquetPart], places: np.ndarray) -> pa.Table:
    """Read some rows with all their columns, in their order, one row group at a time.

    Args:
        parts: the files in the order of the source.
        places: ``(n,)`` int64, increasing: the rows, counted over all files.

    Raises:
        InputError: if a file cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> import pandas
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.parquet")
    ...     pandas.DataFrame({"age": range(25)}).to_parquet(path, row_group_size=10)
    ...     read_rows([ParquetPart(path)], np.array([3, 20]))["age"].to_pylist()
    [3, 20]
    """
    found: list[pa.Table] = []
    place = 0
    for part in parts:
        first = 0
        for group, n in enumerate(part.group_rows):
            low, high = np.searchsorted(places, [place, place + n])
            if high > low:
                table = part.read_plain(group)
                if found:
                    table = _with_numbers_of(found[0], table, Origin(str(part.shown), first))
                found.append(table.take(places[low:high] - place))
            place, first = place + n, first + n
    try:
        return pa.concat_tables(found, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(
            f"the shards hold cells of other types in a column ({error}): give all of them the "
            "same types."
        ) from error


def _with_numbers_of(like: pa.Table, table: pa.Table, origin: Origin) -> pa.Table:
    """Read text as numbers where the first shard has numbers.

    Raises:
        InputError: for the first cell that is none.
    """
    for place, field in enumerate(table.schema):
        if is_text(field.type) and field.name in like.column_names:
            wanted = like.schema.field(field.name).type
            if pa.types.is_integer(wanted) or pa.types.is_floating(wanted):
                cells = matched_cells(table.column(place), Column(field.name), origin)
                numbers = pa.array(cells.values, from_pandas=True)
                table = table.set_column(place, field.name, numbers)
    return table
