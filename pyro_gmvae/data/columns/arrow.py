"""Read a column of NumPy or Arrow as `read_column` reads one of a data frame, without a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pyro_gmvae.data.columns.dates import days_of_times
from pyro_gmvae.data.columns.raw import EXACT, RawColumn, level_name, merges, read_column
from pyro_gmvae.data.in_memory import as_array
from pyro_gmvae.errors import InputError

__all__ = ["read_array"]

SECONDS = 86_400  # of a day


def read_array(values: Any, name: str, source: str) -> RawColumn:
    """Read a column of any type.

    Args:
        values: ``(N,)`` numbers, truth values, dates, durations (read as days) or text, as an array
            of NumPy or Arrow, a tensor, a list, or anything that NumPy makes an array of. NaN,
            NaT, None and a null of Arrow are gaps.
        name: the name of the column.
        source: the name of the table in messages.

    Raises:
        InputError: for more than one axis, complex numbers, and cells that are lists or other
            objects.

    >>> read = read_array(np.array(["b", "a", None, "b"], dtype=object), "tier", "rows")
    >>> read.values, read.levels
    (array([ 1.,  0., nan,  1.]), ('a', 'b'))
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _of_arrow(values, name, source)
    if isinstance(values, list | tuple):
        values = np.array(values, dtype=object)
    array = np.asarray(values if getattr(values, "dtype", None) is None else _plain(values, name))
    if array.ndim != 1:
        raise InputError(
            f"{source} has an array of shape {array.shape} as the column {name}: give one value "
            "for each row."
        )
    if array.dtype.kind == "c":
        raise InputError(f"{source} has complex numbers in {name}: give real numbers.")
    if array.dtype.kind == "M":
        return RawColumn(name, "date", days_of_times(array))
    if array.dtype.kind == "m":
        return RawColumn(name, "number", array / np.timedelta64(1, "s") / SECONDS)
    if array.dtype.kind == "b":
        return RawColumn(name, "boolean", array.astype(np.float64))
    if array.dtype.kind == "f":
        return RawColumn(name, "number", array.astype(np.float64))
    if array.dtype.kind in "iu":
        return _whole(pa.array(array), name)
    try:
        cells = pa.array(array.astype(object), from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):  # of several types
        return _of_objects(array, name, source)
    return _of_arrow(cells, name, source)


def _plain(values: Any, name: str) -> Any:
    """Bring tensors and masked arrays to plain arrays; dates have no such forms."""
    kind = getattr(values.dtype, "kind", "")
    return values if kind in ("M", "m", "O") else as_array(values, name)


def _of_arrow(cells: pa.Array | pa.ChunkedArray, name: str, source: str) -> RawColumn:
    if isinstance(cells, pa.ChunkedArray):
        cells = pa.concat_arrays(cells.unify_dictionaries().chunks or [pa.array([], cells.type)])
    if isinstance(cells, pa.ExtensionArray):
        cells = cells.storage
    kind, types = cells.type, pa.types
    if types.is_dictionary(kind) and not _is_text(kind.value_type):
        return _of_arrow(cells.dictionary_decode(), name, source)
    if types.is_dictionary(kind) or _is_text(kind):
        return _of_text(cells, name)
    if types.is_integer(kind):
        return _whole(cells, name)
    if types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
        return RawColumn(name, "number", _floats(cells))
    if types.is_boolean(kind):
        return RawColumn(name, "boolean", _floats(pc.cast(cells, pa.int8())))
    if types.is_date(kind) or types.is_timestamp(kind):
        return RawColumn(name, "date", days_of_times(cells.to_numpy(zero_copy_only=False)))
    if types.is_duration(kind):
        return read_array(cells.to_numpy(zero_copy_only=False), name, source)
    return _of_objects(cells.to_pandas().to_numpy(dtype=object), name, source)


def _is_text(kind: pa.DataType) -> bool:
    large = pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(pa.types.is_string(kind) or large)


def _of_text(cells: pa.Array, name: str) -> RawColumn:
    """Give each different text, without blanks around it, a code in sorted order."""
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    texts = [None if v is None else level_name(v) for v in cells.dictionary.to_pylist()]
    codes = cells.indices.to_numpy(zero_copy_only=False)
    places = np.where(np.isnan(codes), len(texts), codes).astype(np.int64)
    seen = np.bincount(places, minlength=len(texts) + 1) > 0
    levels = sorted({v for v, used in zip(texts, seen, strict=False) if v and used})
    code_of = {level: float(code) for code, level in enumerate(levels)}
    table = np.array([code_of.get(v or "", np.nan) for v in texts] + [np.nan])
    return RawColumn(name, "text", table[places], tuple(levels))


def _whole(cells: pa.Array, name: str) -> RawColumn:
    """Read whole numbers; long ones that float64 does not tell apart are text."""
    values = _floats(cells)
    if np.abs(values, where=~np.isnan(values), out=np.zeros(len(values))).max(initial=0) < EXACT:
        return RawColumn(name, "number", values)
    if merges(values, pc.unique(cells.drop_null()).to_numpy()):
        return _of_text(pc.cast(cells, pa.string()), name)
    return RawColumn(name, "number", values)


def _floats(cells: pa.Array) -> np.ndarray:
    floats = pc.cast(cells, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.array(floats)  # Arrow's own memory cannot be written to


def _of_objects(cells: np.ndarray, name: str, source: str) -> RawColumn:
    """Read objects of several types by pandas, which knows most of them."""
    import pandas

    return read_column(pandas.Series(cells, name=name, dtype=object), source)
