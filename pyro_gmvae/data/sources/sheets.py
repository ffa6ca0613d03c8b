"""Read the first sheet of an ``.xlsx`` workbook."""

import importlib.util
import zipfile
import zlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas

from pyro_gmvae.data.numerals import MISSING_WORDS
from pyro_gmvae.data.sources import raw
from pyro_gmvae.data.sources.delimited import read_delimited
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.errors import InputError

_DAMAGE = (
    *(AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, zipfile.BadZipFile, zlib.error),
)


def read_sheet(path: Path, *, missing: Sequence[str] = MISSING_WORDS) -> Table:
    """Read the first sheet of a workbook as if it were a file of text.

    Raises:
        InputError: if openpyxl is not installed, or the workbook cannot be read.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise InputError(
            f"{path} is a workbook, which openpyxl reads: pip install 'pyro-gmvae[excel]', or save "
            "the sheet as .csv."
        )
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > raw.MAX_BYTES:
            raise InputError(
                f"{path} holds more than {raw.MAX_BYTES / 2**30:.3g} GiB, the most that is read: "
                "save the table as .parquet."
            )
        with pandas.ExcelFile(path, engine="openpyxl") as book:
            others = book.sheet_names[1:]
            cells = pandas.read_excel(book, header=None, dtype=object, na_filter=False)
    # openpyxl passes on what its parts, zip and XML, raise on a damaged file.
    except _DAMAGE as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} is not a readable workbook ({first[:200]}): save it again."
        ) from error
    rows = cells.map(_text)
    text = rows.to_csv(index=False, header=False, lineterminator="\n")
    table = read_delimited(b"sep=,\n" + text.encode("utf-8", "replace"), str(path), missing=missing)
    notes = table.notes
    if others:
        notes = (f"the first of {len(others) + 1} sheets is read", *notes)
    return Table(table.frame, notes)


def _text(cell: Any) -> str:
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else str(cell)
