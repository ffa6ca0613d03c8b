"""List the files of a table, and read each of them in pieces."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa
from pyarrow import parquet

from pyro_gmvae.data.shards.text import CSVPart
from pyro_gmvae.data.sources.columnar import guarded, simple_columns, with_folder_columns
from pyro_gmvae.data.sources.files import parquet_parts
from pyro_gmvae.errors import InputError

__all__ = ["PIECE_ROWS", "CSVPart", "ParquetPart", "Part", "can_stream", "parts_of"]

PIECE_ROWS = 65_536  # rows of a piece, about
CSV_SUFFIXES = (".csv", ".tsv", ".txt")


@runtime_checkable
class Part(Protocol):
    r"""Define what is needed of one file of a table, whatever its format.

    Attributes:
        path: the file.
        names: its columns.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.csv")
    ...     _ = path.write_text("age\n41\n52\n63\n")
    ...     (part,) = parts_of(path)
    ...     part.names, [len(piece) for piece in part.pieces(rows=2)]
    (('age',), [2, 1])
    """

    path: Path

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""

    def pieces(
        self, columns: Collection[str] | None = None, rows: int = PIECE_ROWS
    ) -> Iterator[pa.Table]:
        """Give the rows in order, ``rows`` or fewer at a time, with some of the columns."""


class ParquetPart:
    """Read a Parquet file by its row groups.

    Args:
        path: the file.
        folder: the folder of the table, whose subfolders such as ``country=FR`` are columns.
        shown: what it is called in messages, where it is a copy.

    Raises:
        InputError: if the file cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.parquet")
    ...     pandas.DataFrame({"age": range(25)}).to_parquet(path, row_group_size=10)
    ...     part = ParquetPart(path)
    ...     part.names, part.group_rows, part.read(2)["age"].to_pylist()
    (('age',), (10, 10, 5), [20, 21, 22, 23, 24])
    """

    def __init__(
        self, path: Path, folder: Path | None = None, *, shown: Path | None = None
    ) -> None:
        self.path = path
        self.shown = path if shown is None else shown
        self.folder = path.parent if folder is None else folder
        self._metadata = guarded(lambda: parquet.read_metadata(path), path, "parquet")

    @cached_property
    def group_rows(self) -> tuple[int, ...]:
        """Return the number of rows of each row group."""
        groups = range(self._metadata.num_row_groups)
        return tuple(self._metadata.row_group(i).num_rows for i in groups)

    @property
    def n_rows(self) -> int:
        """Return the number of rows."""
        return int(self._metadata.num_rows)

    @cached_property
    def _fields(self) -> pa.Schema:
        return guarded(self._metadata.schema.to_arrow_schema, self.path, "parquet")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns; a list of one length is a column for each place."""
        if any(pa.types.is_nested(field.type) for field in self._fields) and self.n_rows:
            first = next(self.pieces(rows=1))
        else:
            first = self._with_folders(self._fields.empty_table())
        return tuple(simple_columns(first)[0])

    def read(self, group: int, columns: Collection[str] | None = None) -> pa.Table:
        """Read a row group, and of it only some columns; text comes as codes of its levels.

        Raises:
            InputError: if it cannot be read.
        """

        def read() -> pa.Table:
            with parquet.ParquetFile(self.path, read_dictionary=self._text) as file:
                return file.read_row_group(group, columns=self._roots(columns))

        return self._with_folders(guarded(read, self.path, "parquet"))

    def read_plain(self, group: int) -> pa.Table:
        """Read all columns of a row group by the types that the file says."""

        def read() -> pa.Table:
            with parquet.ParquetFile(self.path) as file:
                return file.read_row_group(group)

        return self._with_folders(guarded(read, self.path, "parquet"))

    def pieces(
        self, columns: Collection[str] | None = None, rows: int = PIECE_ROWS
    ) -> Iterator[pa.Table]:
        """Give the rows in order; see `Part`."""
        with parquet.ParquetFile(self.path, read_dictionary=self._text) as file:
            batches = file.iter_batches(rows, columns=self._roots(columns))
            while (batch := guarded(lambda: next(batches, None), self.path, "parquet")) is not None:
                yield self._with_folders(pa.Table.from_batches([batch]))

    @cached_property
    def _text(self) -> list[str]:
        return [f.name for f in self._fields if pa.types.is_string(f.type)]

    def _roots(self, columns: Collection[str] | None) -> list[str] | None:
        """Name the columns to read; a nested one is read if it may hold what is wanted."""
        if columns is None:
            return None
        return [f.name for f in self._fields if f.name in columns or pa.types.is_nested(f.type)]

    def _with_folders(self, table: pa.Table) -> pa.Table:
        return with_folder_columns(table, self.path, self.folder)


def can_stream(source: str | Path) -> bool:
    """Return True for a table that can be read in pieces: Parquet, a folder of it, or text.

    >>> can_stream("t.parquet"), can_stream("t.csv"), can_stream("t.csv.gz"), can_stream("t.xlsx")
    (True, True, False, False)
    """
    path = Path(source)
    if path.is_dir():
        return bool(parquet_parts(path))
    return path.suffix.lower() in (".parquet", *CSV_SUFFIXES)


def parts_of(source: str | Path) -> list[Part]:
    """List the files of a table in the order of their names.

    Raises:
        InputError: if it cannot be read in pieces, or a file is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("b", "a"):
    ...         pandas.DataFrame({"age": [41, 52]}).to_parquet(f"{folder}/{name}.parquet")
    ...     [part.path.name for part in parts_of(folder)]
    ['a.parquet', 'b.parquet']
    """
    path = Path(source)
    if path.is_dir():
        parts: list[Part] = [ParquetPart(part, path) for part in parquet_parts(path)]
        if parts:
            return parts
    elif path.suffix.lower() == ".parquet" and path.is_file():
        return [ParquetPart(path)]
    elif path.suffix.lower() in CSV_SUFFIXES and path.is_file():
        return [CSVPart(path)]
    raise InputError(
        f"{path} cannot be read in pieces: use a folder of .parquet files, or a file of the type "
        f"{', '.join(('.parquet', *CSV_SUFFIXES))}"
    )
