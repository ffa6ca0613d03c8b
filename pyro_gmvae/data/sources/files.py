"""Choose the reader of a table file by the suffix of its name."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyro_gmvae.data.numerals import MISSING_WORDS
from pyro_gmvae.data.sources.raw import STANDARD_INPUT, read_bytes
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import pandas

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data")
PACKED = ".gz"  # behind the suffix of a text or of JSON
TABLE_SUFFIXES = (*TEXT_SUFFIXES, ".json", ".parquet", ".feather", ".xlsx")


def table_suffix(source: str | Path) -> str | None:
    """Return the suffix that says what kind of table a name is of; None for another name.

    >>> table_suffix("T.CSV.gz"), table_suffix("t.npz"), table_suffix("t.xlsx.gz")
    ('.csv', None, None)
    """
    suffixes = [s.lower() for s in Path(source).suffixes]
    if suffixes[-1:] == [PACKED]:
        inner = suffixes[-2] if len(suffixes) > 1 else None
        return inner if inner in (*TEXT_SUFFIXES, ".json") else None
    return suffixes[-1] if suffixes and suffixes[-1] in TABLE_SUFFIXES else None


def is_table(source: str | Path) -> bool:
    """Return True for standard input, the name of a table file, and a folder of parquet parts.

    >>> is_table("-"), is_table("t.csv"), is_table("digits")
    (True, True, False)
    """
    if str(source) == STANDARD_INPUT:
        return True
    if Path(source).is_dir():
        return bool(parquet_parts(Path(source)))
    return table_suffix(source) is not None


def parquet_parts(folder: Path) -> list[Path]:
    """List the parquet files in a folder, at any depth, in the order of their paths.

    Hidden files and folders, and those whose name begins with ``_``, are left out.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("b.parquet", "a.parquet", "_metadata", ".c.parquet"):
    ...         (Path(folder) / name).touch()
    ...     [part.name for part in parquet_parts(Path(folder))]
    ['a.parquet', 'b.parquet']
    """
    # A folder may hold a million images, so paths are made of parts only.
    found = [
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(".parquet")
    ]
    return sorted(
        p
        for p in found
        if p.is_file() and not any(n.startswith((".", "_")) for n in p.relative_to(folder).parts)
    )


def read_table(
    path: Path, *, blank_lines: bool = False, missing: Sequence[str] = MISSING_WORDS
) -> Table:
    """Read a table file with typed columns, and say what was guessed.

    Args:
        path: a file with a suffix of `TABLE_SUFFIXES`, a folder of ``.parquet`` files, or ``-`` for
            text on standard input.
        blank_lines: whether a blank line of a text is a row of missing values, or no row.
        missing: the words for a missing value in columns of numbers, without regard to case.

    Raises:
        InputError: if the file cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t.csv"
    ...     _ = path.write_text("spend;tier\\n10,85;a\\n-;b\\n")
    ...     table = read_table(path)
    >>> table.frame["spend"].tolist(), table.notes[0]
    ([10.85, nan], 'semicolons separate the columns')
    """
    suffix = table_suffix(path)
    if path.is_dir() or suffix == ".parquet":
        from pyro_gmvae.data.sources.columnar import read_parquet

        return read_parquet(path)
    if suffix == ".feather":
        from pyro_gmvae.data.sources.columnar import read_feather

        return read_feather(path)
    if suffix == ".xlsx":
        from pyro_gmvae.data.sources.sheets import read_sheet

        return read_sheet(path, missing=missing)
    data, name = read_bytes(path), str(path)
    if name == STANDARD_INPUT:
        name = "standard input"
    if suffix == ".json":
        from pyro_gmvae.data.sources.records import read_records

        return read_records(data, name, missing=missing)
    from pyro_gmvae.data.sources.delimited import read_delimited

    return read_delimited(data, name, blank_lines=blank_lines, missing=missing)


def read_frame(
    path: Path, *, blank_lines: bool = False, missing: Sequence[str] = MISSING_WORDS
) -> "pandas.DataFrame":
    r"""Read only the columns of a file; see `read_table`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t.csv"
    ...     _ = path.write_text("spend;tier\n10,85;a\n-;b\n")
    ...     frame = read_frame(path)
    >>> frame["spend"].tolist(), frame["tier"].tolist()
    ([10.85, nan], ['a', 'b'])
    """
    return read_table(path, blank_lines=blank_lines, missing=missing).frame


def check_file(path: Path, source: str) -> None:
    """Raise an `InputError` unless a path is a regular file, which can be read again."""
    if path.is_file():
        return
    if path.exists():
        raise InputError(
            f"{source} is not a regular file: save it as one, or pipe a table of text to "
            f"{STANDARD_INPUT}."
        )
    raise InputError(f"There is no file {source}: check its path.")
