"""Write a mixed table of any number of rows in shards of Parquet, with known clusters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

__all__ = ["CLUSTERS", "COLUMNS", "GROUP_ROWS", "rows_of", "write_table"]

CLUSTERS = 8
GROUP_ROWS = 131_072  # of a row group
FILE_GROUPS = 8  # row groups of a file
REALS, AMOUNTS, COUNTS = 7, 3, 3
LEVELS = (2, 3, 6, 12, 40)
COLUMNS = REALS + AMOUNTS + COUNTS + len(LEVELS) + 2  # a truth value and a date beside them
GAPS = 0.05  # share of the missing cells of every other column


def write_table(folder: Path, n_rows: int, *, seed: int = 0) -> list[Path]:
    """Write files of up to 1,048,576 rows each, one row group at a time.

    A file that is there is left as it is, so that a table grows with ``n_rows``.

    Args:
        folder: where to write; it is made if it is not there.
        n_rows: the rows.
        seed: the seed of all that is drawn.

    Returns:
        The files of so many rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size, files = GROUP_ROWS * FILE_GROUPS, []
    for number, first in enumerate(range(0, n_rows, size)):
        rows = min(size, n_rows - first)
        path = folder / f"part-{number:05}-{rows}.parquet"
        files.append(path)
        if path.is_file():
            continue
        half = path.with_suffix(".half")
        with parquet.ParquetWriter(half, rows_of(1, seed, 0).schema) as writer:
            for group, begin in enumerate(range(0, rows, GROUP_ROWS)):
                n = min(GROUP_ROWS, rows - begin)
                writer.write_table(rows_of(n, seed, number * FILE_GROUPS + group))
        half.rename(path)
    return files


def rows_of(n: int, seed: int, group: int) -> pa.Table:
    """Draw the rows of one row group; their laws depend on the seed alone.

    Args:
        n: the rows.
        seed: the seed of the laws.
        group: the number of the row group, which seeds its rows.
    """
    laws, rng, k = np.random.default_rng(seed), np.random.default_rng([seed, group]), CLUSTERS
    y = rng.choice(k, n, p=laws.dirichlet(np.full(k, 20.0)))
    columns: dict[str, pa.Array] = {}
    centres = laws.normal(0, 1.5, (k, REALS + AMOUNTS))
    v = centres[y] + rng.normal(size=(n, REALS + AMOUNTS))
    for j in range(REALS):
        columns[f"real{j}"] = pa.array(v[:, j])
    for j in range(REALS, REALS + AMOUNTS):
        columns[f"amount{j}"] = pa.array(np.exp(3 + 0.7 * v[:, j]).round(2))
    for j in range(COUNTS):
        columns[f"count{j}"] = pa.array(rng.poisson(np.exp(laws.normal(1, 0.8, k))[y]))
    for levels in LEVELS:
        law = laws.dirichlet(np.full(levels, 0.7), k).cumsum(1)
        codes = (law[y] < rng.random((n, 1))).sum(1).clip(max=levels - 1)
        names = pa.array([f"level {i:02}" for i in range(levels)])
        columns[f"levels{levels}"] = names.take(pa.array(codes))
    columns["member"] = pa.array(rng.random(n) < laws.beta(0.6, 0.6, k)[y])
    days = 19_000 + 200 * laws.normal(size=k)[y] + 60 * rng.normal(size=n)
    columns["since"] = pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())
    for name in list(columns)[::2]:
        columns[name] = _with_gaps(columns[name], rng.random(n) < GAPS)
    return pa.table(columns)


def _with_gaps(cells: pa.Array, missing: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(missing), pa.scalar(None, cells.type), cells)
