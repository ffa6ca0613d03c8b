"""Tell whether a table would take much of the memory."""

from __future__ import annotations

from pathlib import Path

import psutil

__all__ = ["bytes_in_memory", "wants_stream"]

SHARE = 0.5  # of the machine's memory, from which rows are read in stream
COPIES = 6  # of 8 bytes a cell that reading, describing and dividing a table take at their peak
CELLS_OF_TEXT = 1 / 6  # cells in a byte of text, about


def bytes_in_memory(source: str | Path) -> int:
    r"""Estimate the memory that a table takes while it is read, in bytes.

    It goes by what the files say of themselves: of Parquet the rows and columns, of text the size.

    Raises:
        InputError: if a file of Parquet cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     short, long = Path(folder, "short.csv"), Path(folder, "long.csv")
    ...     _ = short.write_text("age\n" + "41\n" * 10), long.write_text("age\n" + "41\n" * 1000)
    ...     bytes_in_memory(short) < bytes_in_memory(long)
    True
    """
    from pyro_gmvae.data.shards.parts import CSV_SUFFIXES, ParquetPart, parts_of

    path = Path(source)
    if path.suffix.lower() in CSV_SUFFIXES and path.is_file():
        return int(8 * COPIES * CELLS_OF_TEXT * path.stat().st_size)
    parts = [part for part in parts_of(path) if isinstance(part, ParquetPart)]
    return 8 * COPIES * sum(part.n_rows * len(part.names) for part in parts)


def wants_stream(source: str | Path) -> bool:
    """Return True for a table that can be read in pieces and would take half of the memory.

    Raises:
        InputError: if a file of Parquet cannot be read.

    >>> wants_stream("-")
    False
    """
    from pyro_gmvae.data.shards.parts import can_stream

    if not (Path(source).exists() and can_stream(source)):
        return False
    return bytes_in_memory(source) > SHARE * psutil.virtual_memory().total
