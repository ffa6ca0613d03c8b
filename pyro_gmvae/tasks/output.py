"""Write the table that a command makes, as the name of its file says."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

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
def table_output(
    path: Name, *, float_format: str | None = None
) -> Iterator[Callable[[pandas.DataFrame], None]]:
    """Give a function that writes a table, whole or not at all; ``-`` is standard output.

    The file is made at once, so that a path which cannot be written is refused before the long
    work. Text in a .csv file is made safe for spreadsheets; a .parquet file keeps it.

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
        yield lambda frame: _print(_csv(frame, float_format))
        return
    suffix = suffix_of(path, TABLES)
    with written_whole(path) as partial:

        def write(frame: pandas.DataFrame) -> None:
            with partial.open("wb") as file:
                _write(frame, file, suffix, float_format)

        yield write


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


def _write(frame: pandas.DataFrame, file: IO[bytes], suffix: str, float_format: str | None) -> None:
    if suffix == ".parquet":
        repeated = frame.columns[frame.columns.duplicated()]
        if len(repeated):
            raise InputError(
                f"a .parquet file cannot have two columns {repeated[0]}: name a .csv file"
            )
        frame.to_parquet(file, index=False)
        return
    content = _csv(frame, float_format).encode()
    if suffix == ".csv.gz":
        content = gzip.compress(content, mtime=0)  # the same rows make the same file
    file.write(content)


def _csv(frame: pandas.DataFrame, float_format: str | None) -> str:
    safe = with_text(frame, safe_text)
    return safe.to_csv(index=False, float_format=float_format, lineterminator="\n")


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
