"""Recognise how the dates of a column are written, and turn them into days and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas

__all__ = [
    "DAY",
    "TIME",
    "DateForm",
    "days_of",
    "is_like_a_date",
    "parse_dates",
    "recognise_dates",
    "timestamps",
]

# ISO 8601, which pandas reads in all its variants; of days, or of times of a day as well.
DAY, TIME = "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"
SHARE = 0.95  # of the different cells that are to be dates; the others become gaps
MICROSECONDS = 86_400 * 10**6  # of a day
# The first that reads all cells is taken. Where days and months cannot be told apart, the day comes
# first, as in most countries.
_ORDERS = ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y", "%Y{s}%m{s}%d", "%d{s}%m{s}%y", "%m{s}%d{s}%y")
_NAMED = (
    *("%d{s}%b{s}%Y", "%d{s}%B{s}%Y", "%b{s}%d{s}%Y", "%B{s}%d{s}%Y", "%d{s}%b{s}%y"),
    *("%b %d, %Y", "%B %d, %Y", "%d. %B %Y", "%d. %b %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)?"
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_LIKE = re.compile(
    r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}([ T].*)?"
    r"|[0-9]{1,2}(\.?[- /]|)[^\W\d_]{3,9}\.?[- /,]+[0-9]{2,4}([ T].*)?"
    r"|[^\W\d_]{3,9}\.?[- /][0-9]{1,2},?[- /][0-9]{2,4}([ T].*)?"
)


class DateForm(NamedTuple):
    """Hold how dates are written.

    Attributes:
        format: a format of ``strptime``; `DAY` and `TIME` stand for ISO 8601 in all its variants.
        ambiguous: whether day and month could change places in every cell.

    >>> DateForm("%d/%m/%Y", ambiguous=True)
    DateForm(format='%d/%m/%Y', ambiguous=True)
    """

    format: str
    ambiguous: bool = False


def recognise_dates(names: Sequence[str]) -> DateForm | None:
    """Find the form in which all texts, or nearly all, are dates; None if there is none.

    >>> recognise_dates(["21-08-2013", "03-04-2014"])
    DateForm(format='%d-%m-%Y', ambiguous=False)
    >>> recognise_dates(["2024-01-31", "2024-02-01 10:30"]).format, recognise_dates(["1.5", "2.0"])
    ('%Y-%m-%dT%H:%M:%S', None)
    """
    least = SHARE * len(names)
    if not names or sum(map(is_like_a_date, names)) < least:
        return None
    if sum(_ISO.fullmatch(n) is not None for n in names) >= least:
        days = parse_dates(names, TIME)
        if np.isfinite(days).sum() >= least:
            return DateForm(DAY if _are_whole(days) else TIME)
    likely = [n for n in names if is_like_a_date(n)]
    found = [f for f in _formats(likely[0]) if _reads(likely[:20], f)]
    read = [(f, int(np.isfinite(parse_dates(names, f)).sum())) for f in found]
    best = max((count for _, count in read), default=0)
    if best < least:
        return None
    fit = [f for f, count in read if count == best]
    orders = {f.index("%d") < f.index("%m") for f in fit if "%m" in f and not f.startswith("%Y")}
    chosen = fit[0]
    if len(orders) == 2 and "%p" in chosen:  # the month comes first where the clock has 12 hours
        chosen = next(f for f in fit if f.index("%m") < f.index("%d"))
    return DateForm(chosen, len(orders) == 2)


def is_like_a_date(text: str) -> bool:
    """Recognise three parts of which a date may be made.

    >>> is_like_a_date("31 Jan 2024"), is_like_a_date("1.5")
    (True, False)
    """
    return len(text) <= 40 and _LIKE.fullmatch(text) is not None


def parse_dates(names: Sequence[str], format: str) -> np.ndarray:
    """Return days since 1970-01-01 ``(N,)``, NaN for a text that is no date of this format.

    >>> parse_dates(["1970-01-03", "soon"], DAY)
    array([ 2., nan])
    """
    import pandas

    iso = format in (DAY, TIME)
    texts = pandas.Series(list(names), dtype=object)
    read = pandas.to_datetime(texts, format="ISO8601" if iso else format, errors="coerce", utc=True)
    days = days_of(read)
    if iso:  # a bare year would be read too
        days[[_ISO.fullmatch(n) is None for n in names]] = np.nan
    return days


def days_of(times: pandas.Series) -> np.ndarray:
    """Return days since 1970-01-01 in UTC ``(N,)``, NaN where a time is missing.

    >>> import pandas
    >>> days_of(pandas.Series(pandas.to_datetime(["1970-01-02 12:00", None])))
    array([1.5, nan])
    """
    if times.dt.tz is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    exact = times.to_numpy().astype("datetime64[us]")
    days = exact.astype(np.int64) / MICROSECONDS
    days[np.isnat(exact)] = np.nan
    return days


def timestamps(days: np.ndarray, format: str) -> np.ndarray:
    """Return days since 1970-01-01 as times, rounded to days if the format has no times.

    >>> [str(time) for time in timestamps(np.array([1.6, np.nan]), DAY)]
    ['1970-01-03T00:00:00', 'NaT']
    """
    day = not re.search("%[HIMS]", format)
    known = np.isfinite(days)
    seconds = np.where(known, days, 0.0)
    seconds = np.round(seconds) * 86_400 if day else np.round(seconds * 86_400)
    # From the year 1 to 9999, which every library writes.
    times = np.clip(seconds, -62_135_596_800, 253_402_300_799).astype("int64")
    made = times.astype("datetime64[s]")
    made[~known] = np.datetime64("NaT")
    return made


def _are_whole(days: np.ndarray) -> bool:
    known = days[np.isfinite(days)]
    return bool((known == np.floor(known)).all())


def _reads(names: Sequence[str], format: str) -> bool:
    return bool(np.isfinite(parse_dates(names, format)).mean() >= 0.5)


def _formats(example: str) -> list[str]:
    """List the formats that a text may be of, by the signs between its parts."""
    signs = [s for s in "-/. " if s in example] or [""]
    made = [
        order.format(s=sign) + time
        for order, sign, time in product((*_ORDERS, *_NAMED), signs, _TIMES)
    ]
    return list(dict.fromkeys(made))
