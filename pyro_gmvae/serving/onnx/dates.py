"""Read dates that are written as text, by the operations of a graph."""

from __future__ import annotations

import re
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from pyro_gmvae.data.columns.dates import DAY, MICROSECONDS, TIME
from pyro_gmvae.errors import InputError
from pyro_gmvae.serving.onnx.graph import ML, Graph, Value

__all__ = ["FORMATS_OF_ISO", "days_of_texts", "pattern_of"]

# ISO 8601 without a time zone.
FORMATS_OF_ISO = (
    DAY,
    *(f"{DAY}{t}%H:%M{s}" for t, s in product("T ", ("", ":%S", ":%S.%f"))),
)
MONTHS = "January February March April May June July August September October November December"
_FULL = tuple(MONTHS.split())
_SHORT = tuple(name[:3] for name in _FULL)
_HALVES = ("am", "pm")
_DAY, _HOUR, _SIXTY = "0?[1-9]|[12][0-9]|3[01]", "[01]?[0-9]|2[0-3]", "[0-5]?[0-9]"


def _spellings(names: tuple[str, ...]) -> list[str]:
    """List the spellings of words that formats read alike."""
    return [spelt for n in names for spelt in (n.lower(), n.upper(), n.title())]


# What each letter of a format takes, and a text that it takes.
_FIELDS = {
    "Y": ("[0-9]{4}", "1970"),
    "y": ("[0-9]{2}", "70"),
    "m": ("0?[1-9]|1[0-2]", "1"),
    "b": ("|".join(_spellings(_SHORT)), "Jan"),
    "B": ("|".join(_spellings(_FULL)), "January"),
    "d": (_DAY, "1"),
    "H": (_HOUR, "0"),
    "I": ("0?[1-9]|1[0-2]", "12"),
    "M": (_SIXTY, "0"),
    "S": (_SIXTY, "0"),
    "f": ("[0-9]{1,6}", "0"),
    "p": ("|".join(_spellings(_HALVES)), "am"),
}
PIVOT = 69  # of years of two digits: 69 is 1969, 68 is 2068
CYCLE_YEARS, CYCLE_DAYS = 400, 146_097  # after which the calendar repeats
EPOCH = 719_468 + CYCLE_DAYS  # days from 1 March of the year 400 before 0 to 1970-01-01


class _Form(NamedTuple):
    """Hold the letters of a format, and the text between each and the next."""

    letters: tuple[str, ...]
    between: tuple[str, ...]


def days_of_texts(graph: Graph, texts: Value, format: str) -> Value:
    """Add the operations that turn texts into days since 1970-01-01, NaN where one is no date.

    As in `pyro_gmvae.data.columns.match`, the dates may be of the format in training or of ISO
    8601, here without a time zone.

    Args:
        graph: gets the operations.
        texts: ``(N,)`` texts.
        format: how the dates were written in training.

    Raises:
        InputError: for a format that no graph reads.

    >>> graph = Graph()
    >>> days = days_of_texts(graph, Value(graph, "day"), "%d/%m/%Y")
    >>> any(days.name in node.output for node in graph.nodes)
    True
    """
    others = () if format in (DAY, TIME) else (format,)
    days = graph.value(np.array(np.nan))
    for each in reversed((*others, *FORMATS_OF_ISO)):
        days = _read(graph, texts, each, days)
    return days


def pattern_of(format: str) -> str:
    """Return the regular expression of the texts of a format.

    Raises:
        InputError: for a format that no graph reads.

    >>> bool(re.fullmatch(pattern_of("%d/%m/%Y"), "31/1/2024"))
    True
    """
    form = _form(format)
    parts = [f"({_FIELDS[letter][0]})" for letter in form.letters]
    between = [*map(re.escape, form.between), ""]
    return "".join(f"{p}{b}" for p, b in zip(parts, between, strict=True))


def _form(format: str) -> _Form:
    found = re.fullmatch(r"%(\w)(?:([^%]+)%(\w))+", format)
    letters = tuple(re.findall(r"%(\w)", format))
    if found is None or not set(letters) <= set(_FIELDS):
        raise InputError(
            f"no ONNX graph reads dates as text of the format {format}: export with dates as "
            "numbers, which are days since 1970-01-01"
        )
    return _Form(letters, tuple(re.split(r"%\w", format)[1:-1]))


def _read(graph: Graph, texts: Value, format: str, otherwise: Value) -> Value:
    """Return the days of the texts of a format, and ``otherwise`` where a text is not of it."""
    form = _form(format)
    example = "".join(
        _FIELDS[letter][1] + b for letter, b in zip(form.letters, (*form.between, ""), strict=True)
    )
    fits = graph.op("RegexFullMatch", texts, pattern=pattern_of(format))
    fields = _fields(graph, fits.where(texts, example), form)
    year, month, day = _calendar(graph, fields)
    is_date = fits & (day <= _length(graph, year, month))
    micro = _days(year, month, day) * MICROSECONDS
    clock = _clock(graph, fields)
    micro = micro if clock is None else micro + clock
    days = graph.op("Div", micro.cast("DOUBLE"), float(MICROSECONDS))
    return is_date.where(days, otherwise)


def _fields(graph: Graph, texts: Value, form: _Form) -> dict[str, Value]:
    """Split texts at what is between the letters of a format, one after the other."""
    fields, rest = {}, texts
    for letter, sign in zip(form.letters, form.between, strict=False):
        parts, _ = graph.op("StringSplit", rest, outputs=2, delimiter=sign, maxsplit=1)
        fields[letter], rest = (graph.op("Gather", parts, i, axis=1) for i in range(2))
    return fields | {form.letters[-1]: rest}


def _calendar(graph: Graph, fields: dict[str, Value]) -> tuple[Value, Value, Value]:
    """Return year, month and day as whole numbers."""
    if "Y" in fields:
        year = fields["Y"].cast("INT64")
    else:
        short = fields["y"].cast("INT64")
        year = short + graph.op("Less", short, PIVOT).where(2000, 1900)
    if "m" in fields:
        month = fields["m"].cast("INT64")
    else:
        letter, names = ("b", _SHORT) if "b" in fields else ("B", _FULL)
        month = _place(graph, fields[letter], names) + 1
    return year, month, fields["d"].cast("INT64")


def _clock(graph: Graph, fields: dict[str, Value]) -> Value | None:
    """Return the time of the day in microseconds, None where there is no time."""
    hour = fields.get("H", fields.get("I"))
    if hour is None:
        return None
    hours = hour.cast("INT64")
    if "p" in fields:
        hours = hours % 12 + _place(graph, fields["p"], _HALVES) * 12
    minutes = hours * 60 + fields["M"].cast("INT64")
    seconds = minutes * 60 + fields["S"].cast("INT64") if "S" in fields else minutes * 60
    if "f" not in fields:
        return seconds * 10**6
    share = graph.op("StringConcat", "0.", fields["f"]).cast("DOUBLE")
    return seconds * 10**6 + graph.op("Round", share * 1e6).cast("INT64")


def _place(graph: Graph, texts: Value, names: tuple[str, ...]) -> Value:
    """Return the place of each text among names, in any of their spellings."""
    keys = _spellings(names)
    places = [i // (len(keys) // len(names)) for i in range(len(keys))]
    options: dict[str, Any] = {"keys_strings": keys, "values_int64s": places, "default_int64": 0}
    return graph.op("LabelEncoder", texts, domain=ML, **options)


def _length(graph: Graph, year: Value, month: Value) -> Value:
    """Return the number of days of a month."""
    by_four, by_hundred = (year % 4).equals(0), (year % 100).equals(0)
    leap = by_four & (graph.op("Not", by_hundred) | (year % 400).equals(0))
    usual = (month + month // 8) % 2 + 30
    return month.equals(2).where(leap.where(29, 28), usual)


def _days(year: Value, month: Value, day: Value) -> Value:
    """Return the days from 1970-01-01 in the Gregorian calendar, from whole numbers alone.

    A year begins in March here, so that the leap day is its last.
    """
    march = month <= 2
    year = year + CYCLE_YEARS - march.where(1, 0)  # so that none is below 0
    of_year = ((month + march.where(9, -3)) * 153 + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - EPOCH
