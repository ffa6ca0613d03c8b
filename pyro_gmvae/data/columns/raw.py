"""Turn a column of a data frame into numbers, and text into codes with the names of its levels."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from pyro_gmvae.data.columns.dates import DAY, TIME, days_of
from pyro_gmvae.data.schema import Cells, Column, Kind, shown_number
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

if TYPE_CHECKING:
    import pandas

__all__ = ["TRUTH", "RawColumn", "level_name", "read_column"]

EXACT = 2.0**53  # up to here float64 holds every whole number
TRUTH = ("false", "true")  # the levels of truth values


@dataclass(frozen=True, eq=False)
class RawColumn:
    """Hold a column as it was read, before anything is guessed about its meaning.

    Attributes:
        name: its name; None where columns have no names.
        cells: how its cells are written.
        values: ``(N,)`` float64, NaN where a cell is missing: numbers as they are, truth values as
            0 and 1, dates as days since 1970-01-01, text as the codes of its levels.
        levels: the names of the codes of text.
        declared: the kind that the type of the column declares, if it does.

    >>> raw = RawColumn("tier", "text", np.array([0.0, 1.0, np.nan]), levels=("gold", "silver"))
    >>> raw.known.tolist(), raw.column.kind
    ([0.0, 1.0], 'category')
    """

    name: str | None
    cells: Cells
    values: np.ndarray
    levels: tuple[str, ...] = ()
    declared: Kind | None = None

    @property
    def known(self) -> np.ndarray:
        """Return the values that are not missing."""
        return self.values[~np.isnan(self.values)]

    @property
    def column(self) -> Column:
        """Describe the column as it stands."""
        if self.cells == "text":
            return Column(self.name, self.declared or "category", "text", levels=self.levels)
        if self.cells == "boolean":
            return Column(self.name, "binary", "boolean", levels=TRUTH)
        if self.cells == "date":
            whole = bool((self.known == np.floor(self.known)).all())
            return Column(self.name, "date", "date", format=DAY if whole else TIME)
        return Column(self.name)


def read_column(series: pandas.Series[Any], source: str) -> RawColumn:
    """Read a column of any type.

    Args:
        series: the cells: numbers, truth values, dates, durations (read as days), text, categories,
            or Python objects of one of these kinds, each with gaps or not.
        source: the name of the table in messages.

    Raises:
        InputError: for complex numbers, and for cells that hold lists or other objects.

    >>> import pandas
    >>> read = read_column(pandas.Series(["b", "a", None, "b"], name="tier"), "t.csv")
    >>> read.values, read.levels
    (array([ 1.,  0., nan,  1.]), ('a', 'b'))
    """
    import pandas
    from pandas.api import types

    name = str(series.name)
    if isinstance(series.dtype, pandas.ArrowDtype):
        series = series.array.__arrow_array__().to_pandas()
    dtype = series.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        return _categories(series, name)
    if types.is_complex_dtype(dtype):
        raise InputError(f"{source} has complex numbers in {name}: give real numbers.")
    if types.is_bool_dtype(dtype):
        return RawColumn(name, "boolean", _floats(series))
    if types.is_numeric_dtype(dtype):
        values = _floats(series)
        if types.is_integer_dtype(dtype) and _merges(values, series.dropna().unique()):
            return _text(series.astype(object).map(str, na_action="ignore"), name)
        return RawColumn(name, "number", values)
    if isinstance(dtype, pandas.PeriodDtype):
        series = series.dt.to_timestamp()
    if types.is_datetime64_any_dtype(series.dtype):
        return RawColumn(name, "date", days_of(series))
    if types.is_timedelta64_dtype(dtype):
        return RawColumn(name, "number", _floats(series.dt.total_seconds() / 86_400))
    if isinstance(dtype, pandas.StringDtype):
        return _text(series, name)
    return _objects(series, name, source)


def _merges(values: np.ndarray, whole: Collection[Any]) -> bool:
    """Return True if different whole numbers, such as long identifiers, become one in float64."""
    known = values[~np.isnan(values)]
    if not len(known) or not EXACT <= np.abs(known).max() < np.inf:
        return False
    return len(np.unique(known)) < len(whole)


def _floats(series: pandas.Series[Any]) -> np.ndarray:
    with np.errstate(over="ignore"):  # a long double may be beyond float64: told as infinite
        return series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)


def _categories(series: pandas.Series[Any], name: str) -> RawColumn:
    from pandas.api import types

    if types.is_datetime64_any_dtype(series.cat.categories.dtype):
        return RawColumn(name, "date", days_of(series.astype(series.cat.categories.dtype)))
    used = series.cat.remove_unused_categories().cat
    levels = [level_name(v) for v in used.categories]
    codes = np.where(used.codes < 0, np.nan, used.codes.astype(np.float64))
    if len(set(levels)) < len(levels) or "" in levels:
        return _text(series.astype(object).map(str, na_action="ignore"), name)
    return RawColumn(name, "text", codes, tuple(levels), "ordinal" if used.ordered else "category")


def level_name(value: Any) -> str:
    """Return the name of the level that stands for a category.

    >>> level_name(3), level_name(" gold")
    ('3', 'gold')
    """
    if _is_number(value):
        return shown_number(value)
    return unicodedata.normalize("NFC", str(value).strip())


def _text(series: pandas.Series[Any], name: str) -> RawColumn:
    import pandas

    # One letter with an accent may be written as one character or as two.
    stripped = series.str.strip().str.normalize("NFC")
    codes, levels = pandas.factorize(
        stripped.mask(stripped == "").to_numpy(dtype=object), sort=True
    )
    values = np.where(codes < 0, np.nan, codes.astype(np.float64))
    return RawColumn(name, "text", values, tuple(map(str, levels)))


def _objects(series: pandas.Series[Any], name: str, source: str) -> RawColumn:
    """Read Python objects by what all of them are; a mixture is text."""
    import pandas

    cells = series.to_list()
    odd = next((i for i, v in enumerate(cells) if not pandas.api.types.is_scalar(v)), None)
    odd = (
        next((i for i, v in enumerate(cells) if isinstance(v, bytes)), None) if odd is None else odd
    )
    if odd is not None:
        raise InputError(
            f"{source} holds {shortened(cells[odd])} in row {odd} of {name}: give a number, a text "
            "or a date."
        )
    cells = [None if isinstance(v, Decimal) and v.is_nan() else v for v in cells]
    gaps = pandas.isna(np.array([*cells, None], dtype=object))[:-1]
    known = [v for v, gap in zip(cells, gaps, strict=True) if not gap]
    if any(map(_is_truth, known)) and all(_is_truth(v) or v in (0, 1) for v in known):
        values = [np.nan if gap else float(v) for v, gap in zip(cells, gaps, strict=True)]
        return RawColumn(name, "boolean", np.array(values))
    if all(map(_is_number, known)):
        values = [np.nan if gap else _float(v) for v, gap in zip(cells, gaps, strict=True)]
        numbers = np.array(values, dtype=np.float64)
        if not (all(isinstance(v, Integral) for v in known) and _merges(numbers, set(known))):
            return RawColumn(name, "number", numbers)
    elif all(isinstance(v, date) for v in known):
        times = series.mask(series.isna())
        return RawColumn(name, "date", days_of(pandas.to_datetime(times, utc=True)))
    texts = [None if gap else str(v) for v, gap in zip(cells, gaps, strict=True)]
    return _text(pandas.Series(texts, dtype="str"), name)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Decimal) and not _is_truth(value)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return float("inf") if value > 0 else float("-inf")
