"""Read ``.json``: records, columns, or a record a line."""

import json
from collections.abc import Sequence
from typing import Any

import pandas
import pyarrow as pa

from pyro_gmvae.data.numerals import MISSING_WORDS, shown
from pyro_gmvae.data.sources.columns import type_columns
from pyro_gmvae.data.sources.encoding import to_utf8
from pyro_gmvae.data.sources.header import unique_names
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.errors import InputError


def read_records(data: bytes, name: str, *, missing: Sequence[str] = MISSING_WORDS) -> Table:
    """Read a table from JSON: a list of objects, an object of columns, or a line for each object.

    A name that an object lacks is a missing value. A column of an object is a list, or an object
    from row names to values, as pandas writes it.

    Args:
        data: the bytes of a file.
        name: the name of the file in messages.
        missing: the words for a missing value in columns of numbers that are written as text.

    Raises:
        InputError: if it is not such JSON, or a value is a list or an object.

    >>> read_records(b'[{"a": 1, "b": "x"}, {"a": 2.5}]', "t.json").frame["a"].tolist()
    [1.0, 2.5]
    """
    data, encoded = to_utf8(data, name)
    columns = _columns(_parsed(data.decode("utf-8"), name), name)
    keys, notes = unique_names([_clean(key) for key in columns])
    values = list(columns.values())
    texts = [_as_text(v, key, name) for v, key in zip(values, keys, strict=True)]
    typed, more = type_columns(
        [pa.chunked_array([t], pa.string()) for t in texts if t is not None],
        [key for key, t in zip(keys, texts, strict=True) if t is not None],
        missing=missing,
    )
    rest = iter(typed)
    frame = pandas.DataFrame(
        {
            i: _numbers(v) if text is None else next(rest).to_pandas()
            for i, (v, text) in enumerate(zip(values, texts, strict=True))
        }
    )
    frame.columns = keys
    return Table(frame, (*([encoded] if encoded else []), *notes, *more))


def _parsed(text: str, name: str) -> Any:
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            lines = [line for line in text.splitlines() if line.strip()]
            if error.msg == "Extra data" and len(lines) > 1:
                return [json.loads(line) for line in lines]
            raise
    except RecursionError as error:
        raise InputError(f"{name} is nested too deeply: write a list of flat records.") from error
    except ValueError as error:  # a JSONDecodeError, or a number of thousands of digits
        raise InputError(f"{name} is not readable JSON ({error}): write it again.") from error


def _columns(parsed: Any, name: str) -> dict[str, list[Any]]:
    """Bring any of the forms to a list of values for each name."""
    if isinstance(parsed, list) and all(isinstance(record, dict) for record in parsed):
        keys = dict.fromkeys(key for record in parsed for key in record)
        if len(keys) * len(parsed) > 20 * sum(map(len, parsed)) + 10**6:
            raise InputError(
                f"{name} has {len(parsed)} records with {len(keys)} different names, nearly all "
                "missing in each: give every record the same names."
            )
        return {key: [record.get(key) for record in parsed] for key in keys}
    if isinstance(parsed, dict) and parsed:
        values = list(parsed.values())
        if all(isinstance(v, dict) for v in values):
            rows = list(dict.fromkeys(row for column in values for row in column))
            if len(rows) * len(values) <= 20 * sum(map(len, values)) + 10**6:
                return {key: [v.get(row) for row in rows] for key, v in parsed.items()}
        elif all(isinstance(v, list) for v in values) and len({len(v) for v in values}) == 1:
            return parsed
        elif not any(isinstance(v, (list, dict)) for v in values):
            return {key: [value] for key, value in parsed.items()}
    raise InputError(f"{name} is no table: write a list of records such as {{'width': 1.5}}.")


def _as_text(values: list[Any], key: str, name: str) -> list[str | None] | None:
    """Return the values of a column as text; None if they are numbers or missing."""
    for row, value in enumerate(values):
        if isinstance(value, (list, dict)):
            raise InputError(
                f"{name} holds {shown(json.dumps(value))} in row {row} of {key}: give a single "
                "value."
            )
    known = [value for value in values if value is not None]
    if known and not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in known):
        return ["" if v is None else _clean(v) for v in values]
    return None


def _clean(value: Any) -> str:
    """Write a value as text, without the halves of characters that JSON may hold."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _numbers(values: list[Any]) -> "pandas.Series[Any]":
    whole = all(isinstance(v, int) and abs(v) < 2**63 for v in values)
    if whole:
        return pandas.Series(values, dtype="int64")
    return pandas.Series([float("nan") if v is None else _float(v) for v in values], dtype=float)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return float("inf") if value > 0 else float("-inf")
