"""Write the table that a command makes, as the name of its file says."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pyro_gmvae.data import TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.files.spreadsheets import safe_text, with_text
from pyro_gmvae.visible import visible

if TYPE_CHECKING:
    import pandas

__all__ = [
    "STANDARD_OUTPUT",
    "TABLES",
    "check_name",
    "suffix_of",
    "table_output",
    "text_output",
]

STANDARD_OUTPUT = "-"
# The first one is also written to standard output, and to pipes and devices.
TABLES = TableEncoding.sample_suffixes

Name = str | os.PathLike[str]
Writer = Callable[["pandas.DataFrame"], None]


def suffix_of(path: Name, suffixes: tuple[str, ...], words: str | None = None) -> str:
    """Return the one of ``suffixes`` that a file's name ends in.

    A pipe or a device, whose name says nothing, takes the first. ``words`` say why no other suits.

    Raises:
        InputError: for another ending, or none.

    >>> suffix_of("clusters.CSV", TABLES)
    '.csv'
    """
    name = Path(path).name.lower()
    for suffix in suffixes:
        if name.endswith(suffix) and name != suffix:
            return suffix
    if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
        return suffixes[0]
    stem = Path(path).name.split(".")[0].strip("-") or "output"
    words = words or f"{os.fspath(path)} does not end in {', '.join(suffixes)}"
    named = " or ".join(f"{stem}{suffix}" for suffix in suffixes)
    raise InputError(f"{words}: name a file such as {named}")


def check_name(path: Name) -> None:
    """Refuse the name of a file that no table can be written to, before the long work.

    Raises:
        InputError: for a folder, or a name that does not end in one of `TABLES`.

    >>> check_name("clusters.xlsx")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: clusters.xlsx does not end in .csv, .csv.gz, .parquet: ...
    """
    if os.fspath(path) == STANDARD_OUTPUT:
        if sys.stdout is None:
            raise InputError("standard output is closed: name a file")
    elif Path(path).is_dir():
        raise InputError(f"{os.fspath(path)} is a folder: name a file in it")
    else:
        suffix_of(path, TABLES)


@contextmanager
def table_output(path: Name, *, float_format: str | None = None) -> Iterator[Writer]:
    """Give a function that writes a table, whole or not at all; ``-`` is standard output.

    Each call of the function adds rows, with the same columns. The file is made at once, so that a
    path which cannot be written is refused before the long work. Text in a .csv file is made safe
    for spreadsheets; a .parquet file keeps it.

    Raises:
        InputError: as `check_name`, or if the file cannot be written.

    >>> import pandas
    >>> with table_output("-") as write:
    ...     write(pandas.DataFrame({"row": [0, 1], "cluster": [2, 2]}))
    row,cluster
    0,2
    1,2
    """
    check_name(path)
    if os.fspath(path) == STANDARD_OUTPUT:
        yield _as_csv(_print, float_format)
        return
    suffix = suffix_of(path, TABLES)
    with written_whole(path) as partial, partial.open("wb") as file:
        if suffix == ".parquet":
            with _as_parquet(file) as write:
                yield write
        elif suffix == ".csv":
            yield _as_csv(lambda text: file.write(text.encode()), float_format)
        else:
            # The same rows make the same file, so it has no time and no name.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                yield _as_csv(lambda text: packed.write(text.encode()), float_format)


@contextmanager
def text_output(path: Name = STANDARD_OUTPUT) -> Iterator[Callable[[str], None]]:
    """Give a function that writes a text in UTF-8, whole or not at all; ``-`` is standard output.

    Raises:
        InputError: for a folder, or a file that cannot be written.

    >>> with text_output() as write:
    ...     write("every row")
    every row
    """
    if os.fspath(path) == STANDARD_OUTPUT:
        check_name(path)
        yield lambda text: _print(f"{text}\n")
        return
    with written_whole(path) as partial:

        def write(text: str) -> None:
            partial.write_bytes(f"{text}\n".encode())

        yield write


def _as_csv(put: Callable[[str], object], float_format: str | None) -> Writer:
    """Give a function that puts rows as lines of text, with a header before the first ones."""
    header = True

    def write(frame: pandas.DataFrame) -> None:
        nonlocal header
        safe = with_text(frame, safe_text)
        put(safe.to_csv(index=False, header=header, float_format=float_format, lineterminator="\n"))
        header = False

    return write


@contextmanager
def _as_parquet(file: IO[bytes]) -> Iterator[Writer]:
    """Give a function that writes rows as row groups, with the types of the first ones."""
    import pyarrow
    from pyarrow import parquet

    with ExitStack() as stack:
        opened: list[Any] = []

        def write(frame: pandas.DataFrame) -> None:
            repeated = frame.columns[frame.columns.duplicated()]
            if len(repeated):
                raise InputError(
                    f"a .parquet file cannot have two columns {repeated[0]}: name a .csv file"
                )
            schema = opened[0].schema if opened else None
            table = pyarrow.Table.from_pandas(frame, schema=schema, preserve_index=False)
            if not opened:
                opened.append(stack.enter_context(parquet.ParquetWriter(file, table.schema)))
            opened[0].write_table(table)

        yield write


def _print(text: str) -> None:
    """Print lines: visible text on a terminal, and UTF-8 to another program."""
    raw = getattr(sys.stdout, "buffer", None)
    try:
        if raw is None or sys.stdout.isatty():
            lines = text.removesuffix("\n").split("\n")
            sys.stdout.write("".join(f"{visible(line)}\n" for line in lines))
        else:
            sys.stdout.flush()
            raw.write(text.encode())
        sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        raise
