"""Read a table of text in pieces by Arrow's streaming reader, each cell as text."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv as arrow_csv

from pyro_gmvae.data.sources.columnar import guarded
from pyro_gmvae.data.sources.dialect import guess_dialect
from pyro_gmvae.data.sources.division import lines_of
from pyro_gmvae.data.sources.header import has_header, unique_names
from pyro_gmvae.errors import InputError

__all__ = ["CSVPart"]

SEEN_BYTES = 2**20  # by which separator and header are guessed
BLOCK_BYTES = 2**23  # that are parsed at a time


class _Layout(NamedTuple):
    separator: str
    names: tuple[str, ...]
    skip: int


class CSVPart:
    r"""Read a file of text, whose separator and header are guessed by its first megabyte.

    Its encoding must be UTF-8. Columns whose name is blank are left out.

    Args:
        path: the file.

    Raises:
        InputError: if it is no such text.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.csv")
    ...     _ = path.write_text("age;tier\n41;a\n52;b\n")
    ...     part = CSVPart(path)
    ...     part.names, [piece["age"].to_pylist() for piece in part.pieces()]
    (('age', 'tier'), [['41', '52']])
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._layout = _layout(path)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(name for name in self._layout.names if name.strip())

    @cached_property
    def _options(self) -> tuple[arrow_csv.ReadOptions, arrow_csv.ParseOptions]:
        names = [n if n.strip() else f" {i}" for i, n in enumerate(self._layout.names)]
        return (
            arrow_csv.ReadOptions(
                column_names=names, skip_rows=self._layout.skip, block_size=BLOCK_BYTES
            ),
            arrow_csv.ParseOptions(delimiter=self._layout.separator, newlines_in_values=True),
        )

    def pieces(
        self, columns: Collection[str] | None = None, rows: int = 65_536
    ) -> Iterator[pa.Table]:
        """Give the rows in order; see `pyro_gmvae.data.shards.parts.Part`."""
        wanted = [n for n in self.names if columns is None or n in columns]
        read, parse = self._options
        convert = arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in wanted},
            include_columns=wanted,
            strings_can_be_null=False,
        )
        opened = guarded(
            lambda: arrow_csv.open_csv(self.path, read, parse, convert), self.path, "text"
        )
        with opened as reader:
            while (batch := guarded(lambda: next(reader, None), self.path, "text")) is not None:
                table = pa.Table.from_batches([batch])
                for first in range(0, len(table), rows):
                    yield table.slice(first, rows)


def _layout(path: Path) -> _Layout:
    with path.open("rb") as file:
        start = file.read(SEEN_BYTES)
    whole = len(start) < SEEN_BYTES
    start = start.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if not whole:
        start = start[: start.rfind(b"\n") + 1]
    try:
        start.decode("utf-8")
        dialect = guess_dialect(start)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} is no text in UTF-8 that can be read in pieces: save it as .parquet."
        ) from error
    if not dialect.rows or dialect.separator == " ":
        raise InputError(
            f"{path} has no columns parted by commas, semicolons, tabs or bars, so it cannot be "
            "read in pieces: save it as .parquet."
        )
    first = dialect.rows[0]
    if not has_header(dialect.rows):
        names = tuple(f"column {i}" for i in range(len(first)))
        return _Layout(dialect.separator, names, dialect.skip)
    return _Layout(dialect.separator, tuple(unique_names(first)[0]), dialect.skip + lines_of(first))
