"""Bring the cells of a new column to what the same column was in training."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import NoReturn

import numpy as np

from pyro_gmvae.data.columns.dates import DAY, is_like_a_date, parse_dates
from pyro_gmvae.data.columns.raw import TRUTH, RawColumn
from pyro_gmvae.data.columns.words import counted_words, guess_dates
from pyro_gmvae.data.numerals import MISSING_WORDS, is_missing, shown
from pyro_gmvae.data.schema import Column, shown_number
from pyro_gmvae.errors import InputError

__all__ = ["Matched", "match_column"]

_TRUE, _FALSE = frozenset({"true", "yes", "y", "t", "1"}), frozenset({"false", "no", "n", "f", "0"})


class Matched:
    """Hold the cells of a column as the model's schema has them.

    Attributes:
        values: ``(N,)`` float64, NaN where a cell is missing, or is of no level in training.
        unseen: the cells that became gaps since training had none of their kind.
        words: the words that are taken for a gap, with the number of their cells.

    >>> found = Matched(np.array([0.0, np.nan]), unseen=("bronze",))
    >>> found.values, found.unseen, sum(found.words.values())
    (array([ 0., nan]), ('bronze',), 0)
    """

    def __init__(
        self,
        values: np.ndarray,
        unseen: tuple[str, ...] = (),
        words: Counter[str] | None = None,
    ) -> None:
        self.values = values
        self.unseen = unseen
        self.words = Counter[str]() if words is None else words


def match_column(
    raw: RawColumn, column: Column, source: str, first_row: int | None = None
) -> Matched:
    """Find the values, codes or days of a column's cells.

    Args:
        raw: the new cells.
        column: the column in training.
        source: the name of the new table in messages.
        first_row: the row of the first cell, where the cells are a piece of a column; None for a
            whole column, by all of whose cells another form of dates is guessed.

    Raises:
        InputError: for a cell that is no number, or no count, where training had those; and, in a
            piece, for a date that is not written as in training.

    >>> tier = Column("tier", "category", "text", levels=("gold", "silver"))
    >>> new = RawColumn("tier", "text", np.array([0.0, 1.0, np.nan]), ("bronze", "silver"))
    >>> found = match_column(new, tier, "new.csv")
    >>> found.values, found.unseen
    (array([nan,  1., nan]), ('bronze',))
    """
    if np.isnan(raw.values).all():
        return Matched(raw.values)
    if column.cells == "text":
        return _levels(raw, column)
    if column.cells == "boolean":
        return _truth(raw)
    if column.cells == "date":
        return _dates(raw, column, source, first_row)
    return _numbers(raw, column, source, first_row or 0)


def _levels(raw: RawColumn, column: Column) -> Matched:
    names = tuple(str(v) for v in column.levels)
    known = {name: code for code, name in enumerate(names)}
    if raw.cells == "text" and raw.levels == names:
        return Matched(raw.values)
    if raw.cells == "number":  # the levels of these rows happen to be numbers, all of them
        times = Counter(map(_float, known))  # long codes may be one and the same number
        by_number = {_float(n): code for n, code in known.items() if times[_float(n)] == 1}
        distinct, places = np.unique(raw.values, return_inverse=True)
        codes = [by_number.get(v, np.nan) for v in distinct.tolist()]
        return _coded(distinct, places, np.array(codes, dtype=np.float64))
    levels = raw.levels if raw.cells == "text" else TRUTH if raw.cells == "boolean" else ()
    folded = {name.lower(): code for name, code in known.items()} if raw.cells != "text" else known
    return _named(raw, levels, [folded.get(name) for name in levels])


def _named(raw: RawColumn, levels: tuple[str, ...], codes: list[int | None]) -> Matched:
    """Give each cell the code of its level; words for a gap that are no level are gaps."""
    table = np.array([np.nan if code is None else code for code in codes] + [np.nan])
    place = np.where(np.isnan(raw.values), len(codes), raw.values).astype(np.int64)
    lost = [v for v, code in zip(levels, codes, strict=True) if code is None]
    words = [v for v in lost if is_missing(v)]
    unseen = tuple(v for v in lost if not is_missing(v))
    return Matched(table[place], unseen, counted_words(levels, raw.values, words))


def _truth(raw: RawColumn) -> Matched:
    if raw.cells == "boolean":
        return Matched(raw.values)
    if raw.cells == "text":
        folded = [v.lower() for v in raw.levels]
        codes = [1 if v in _TRUE else 0 if v in _FALSE else None for v in folded]
        return _named(raw, raw.levels, codes)
    distinct, places = np.unique(raw.values, return_inverse=True)
    return _coded(distinct, places, np.where(np.isin(distinct, (0, 1)), distinct, np.nan))


def _dates(raw: RawColumn, column: Column, source: str, first_row: int | None) -> Matched:
    if raw.cells == "date":
        return Matched(raw.values)
    if raw.cells != "text":
        known = ~np.isnan(raw.values)
        _refuse(raw, known, source, "a date such as 2024-01-31", first_row or 0)
    assert column.format is not None
    days = parse_dates(raw.levels, column.format)
    days = np.where(np.isnan(days), parse_dates(raw.levels, DAY), days)
    place = np.where(np.isnan(raw.values), len(days), raw.values).astype(np.int64)
    unread = [v for v, day in zip(raw.levels, days, strict=True) if np.isnan(day)]
    other = guess_dates(unread)  # another program may write them otherwise
    if other is not None and first_row is not None:
        odd = np.isnan(days) & np.array([is_like_a_date(v) for v in raw.levels])
        example = datetime(2024, 1, 31).strftime(column.format)
        _refuse(raw, np.append(odd, False)[place], source, f"dates like {example}", first_row)
    if other is not None and not other.ambiguous:
        days = np.where(np.isnan(days), parse_dates(raw.levels, other.format), days)
    values = np.append(days, np.nan)[place]
    lost = [v for v, day in zip(raw.levels, days, strict=True) if np.isnan(day)]
    words = counted_words(raw.levels, raw.values, [v for v in lost if is_missing(v)])
    return Matched(values, tuple(v for v in lost if not is_missing(v)), words)


def _numbers(raw: RawColumn, column: Column, source: str, first_row: int) -> Matched:
    words: Counter[str] = Counter()
    values = raw.values
    if raw.cells == "date":
        _refuse(raw, ~np.isnan(values), source, "a number", first_row)
    if raw.cells == "text":
        numbers = np.array([_float(v) for v in raw.levels] + [np.nan])
        place = np.where(np.isnan(values), len(raw.levels), values).astype(np.int64)
        odd = np.isnan(numbers[:-1]) & ~np.array([is_missing(v) for v in raw.levels])
        if odd.any():
            _refuse(raw, np.append(odd, False)[place], source, "a number", first_row)
        words = counted_words(raw.levels, values, [v for v in raw.levels if is_missing(v)])
        values = numbers[place]
    if column.kind == "count":
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            odd = known & ~((values >= 0) & (values == np.floor(values)))
        if odd.any():
            _refuse(raw, odd, source, "a count (0, 1, 2, ...)", first_row)
    if not column.has_levels:
        return Matched(values, words=words)
    levels = np.array(column.levels, dtype=np.float64)
    distinct, places = np.unique(values, return_inverse=True)
    # The cells stay numbers; the encoding has their codes.
    found = _coded(distinct, places, np.where(np.isin(distinct, levels), distinct, np.nan))
    found.words = words
    return found


def _coded(distinct: np.ndarray, places: np.ndarray, codes: np.ndarray) -> Matched:
    """Map the different numbers of a column; those without a code, but for gaps, are unseen."""
    lost = distinct[np.isnan(codes) & ~np.isnan(distinct)]
    return Matched(codes[places.ravel()], tuple(map(shown_number, lost.tolist())))


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _refuse(raw: RawColumn, odd: np.ndarray, source: str, wanted: str, first_row: int) -> NoReturn:
    """Raise an `InputError` that shows the first cell that is not what training had."""
    row = int(np.flatnonzero(odd)[0])
    value = raw.values[row]
    cell = {
        "text": lambda: shown(raw.levels[int(value)]),
        "boolean": lambda: TRUTH[int(value)],
        "date": lambda: "a date",
        "number": lambda: shown_number(float(value)),
    }[raw.cells]()
    name = "a column" if raw.name is None else raw.name
    raise InputError(
        f"{source} holds {cell} in row {first_row + row} of {name}, where the model knows "
        f"{wanted}: correct the cell, or leave it empty ({MISSING_WORDS[0]})."
    )
