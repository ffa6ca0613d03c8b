"""Tell whether a table would take much of the memory."""

from __future__ import annotations

from pathlib import Path

import psutil

__all__ = ["bytes_in_memory", "wants_stream"]

SHARE = 0.5  # of the machine's memory, from which rows are read in stream
COPIES = 6  # of 8 bytes a cell that reading, describing and dividing a table take at their peak
CELLS_OF_TEXT = 1 / 6  # cells in a byte of text, about


def bytes_in_memory(source: str | Path) -> int:
    """Estimate the memory that a table takes while it is read, in bytes.

    It goes by what the files say of themselves: of Parquet the rows and columns, of text the size.

    Raises:
        InputError: if a file of Parquet cannot be read.
    """
    from pyro_gmvae.data.shards.parts import ParquetPart, parts_of

    cells = 0.0
    for part in parts_of(source):
        if isinstance(part, ParquetPart):
            cells += part.n_rows * len(part.names)
        else:
            cells += part.path.stat().st_size * CELLS_OF_TEXT
    return int(8 * COPIES * cells)


def wants_stream(source: str | Path) -> bool:
    """Return True for a table that can be read in pieces and would take half of the memory.

    >>> wants_stream("-")
    False
    """
    from pyro_gmvae.data.shards.parts import can_stream

    if not can_stream(source):
        return False
    return bytes_in_memory(source) > SHARE * psutil.virtual_memory().total
