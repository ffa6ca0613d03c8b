"""Copy tables of text to Parquet, whose row groups can be read in any order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pyarrow import parquet

from pyro_gmvae.data.shards.parts import ParquetPart, Part
from pyro_gmvae.errors import InputError

__all__ = ["parquet_copy"]


def parquet_copy(
    parts: Sequence[Part],
) -> tuple[list[ParquetPart], TemporaryDirectory[str] | None]:
    r"""Return files in Parquet as they are, and copies of others, whose cells stay text.

    Returns:
        The files, and the folder that the copies are in, which is removed once nothing refers to
        it; None if nothing was copied.

    Raises:
        InputError: if a file cannot be read, holds no rows, or the copy cannot be written.

    >>> from pyro_gmvae.data.shards.parts import parts_of
    >>> with TemporaryDirectory() as given:
    ...     _ = Path(given, "t.csv").write_text("age;tier\n41;a\n52;b\n")
    ...     (part,), folder = parquet_copy(parts_of(Path(given, "t.csv")))
    >>> part.names, part.n_rows
    (('age', 'tier'), 2)
    >>> folder.cleanup()
    """
    if all(isinstance(part, ParquetPart) for part in parts):
        return [part for part in parts if isinstance(part, ParquetPart)], None
    folder = TemporaryDirectory(prefix="pyro-gmvae-")
    copies = [
        part if isinstance(part, ParquetPart) else _copied(part, Path(folder.name, f"{i}.parquet"))
        for i, part in enumerate(parts)
    ]
    return copies, folder


def _copied(part: Part, path: Path) -> ParquetPart:
    pieces = part.pieces()
    first = next(pieces, None)
    if first is None:
        raise InputError(f"{part.path} has no rows: give it 2 or more.")
    try:
        with parquet.ParquetWriter(path, first.schema) as writer:
            writer.write_table(first)
            for piece in pieces:
                writer.write_table(piece)
    except OSError as error:
        raise InputError(
            f"{part.path} cannot be copied to {path.parent} ({error}): set TMPDIR to a folder with "
            "room, or save the table as .parquet."
        ) from error
    return ParquetPart(path, shown=part.path)
