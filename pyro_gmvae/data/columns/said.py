"""Describe a column as a kind that is given, by a rule or by the user."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyro_gmvae.data.columns.match import match_column
from pyro_gmvae.data.columns.numbers import Guess
from pyro_gmvae.data.columns.raw import TRUTH, RawColumn
from pyro_gmvae.data.columns.words import gap_words, guess_dates
from pyro_gmvae.data.schema import OF_LEVELS, Column, Kind
from pyro_gmvae.errors import InputError

__all__ = ["as_said", "made_column", "of_numbers"]

MOST_NUMBER_LEVELS = 10_000


def made_column(
    raw: RawColumn,
    kind: Kind,
    why: str,
    *,
    levels: tuple[str | float, ...] = (),
    format: str | None = None,
) -> Column:
    """Describe a column whose cells are written as they were read, or that has a date format.

    >>> raw = RawColumn("age", "number", np.array([41.0, 52.0]))
    >>> made_column(raw, "count", "whole numbers")
    Column(name='age', kind='count', why='whole numbers')
    """
    cells = "date" if format is not None else raw.cells
    return Column(raw.name, kind, cells, levels, format=format, why=why)


def of_numbers(raw: RawColumn, guess: Guess) -> Column:
    """Describe a column of numbers of a kind that suits them.

    >>> raw = RawColumn("children", "number", np.array([0.0, 2.0, 1.0, np.nan]))
    >>> of_numbers(raw, Guess("ordinal", "3 whole numbers")).levels
    (0.0, 1.0, 2.0)
    """
    made = Column(raw.name, guess.kind, why=guess.why)
    distinct, counts = np.unique(raw.known, return_counts=True)
    if guess.kind in OF_LEVELS:
        return replace(made, levels=tuple(distinct.tolist()))
    if guess.kind == "spike":
        return replace(made, usual=float(distinct[counts.argmax()]))
    return made


def as_said(
    raw: RawColumn, kind: Kind, source: str, levels: tuple[str | float, ...] | None
) -> Column:
    """Describe a column as the user says.

    Raises:
        InputError: if its cells are not of that kind.

    >>> raw = RawColumn("children", "number", np.array([0.0, 2.0, 1.0, 2.0]))
    >>> as_said(raw, "count", "t.csv", None).kind
    'count'
    """
    name = raw.name or ""
    if kind in OF_LEVELS:
        return _of_levels(raw, kind, source, levels)
    if raw.cells == "date" or kind == "date":
        return _as_date(raw, kind, source)
    numbers = match_column(raw, Column(raw.name, "count" if kind == "count" else "real"), source)
    return of_numbers(RawColumn(raw.name, "number", numbers.values), Guess(kind, f"{name} said"))


def _of_levels(
    raw: RawColumn, kind: Kind, source: str, said: tuple[str | float, ...] | None
) -> Column:
    name = raw.name or ""
    if raw.cells == "date":
        raise InputError(f"the column {name} of {source} has dates, which are no levels: drop it.")
    own: tuple[str | float, ...] = {
        "text": tuple(v for v in raw.levels if v not in gap_words(raw.levels)),
        "boolean": TRUTH,
        "number": tuple(np.unique(raw.known).tolist()),
    }[raw.cells]
    as_text = raw.cells != "number"
    levels = own if said is None or any(isinstance(v, str) != as_text for v in said) else said
    if not as_text:  # numbers have an order of their own
        levels = tuple(sorted({float(v) for v in levels}))
    if kind == "binary" and len(levels) != 2:
        raise InputError(
            f"the column {name} of {source} has {len(levels)} different values, so it cannot be "
            "binary: use category or ordinal."
        )
    if len(levels) > MOST_NUMBER_LEVELS:
        raise InputError(
            f"the column {name} of {source} has {len(levels)} different values, which are too many "
            "for levels: use real, or drop it."
        )
    return made_column(raw, kind, "", levels=levels)


def _as_date(raw: RawColumn, kind: Kind, source: str) -> Column:
    if raw.cells == "date":
        if kind not in ("date", "real"):
            raise InputError(f"the column {raw.name} of {source} has dates: use date.")
        return replace(raw.column)
    form = guess_dates(raw.levels) if raw.cells == "text" else None
    if form is None and raw.cells != "number":
        raise InputError(
            f"the column {raw.name} of {source} has no dates that can be read: write them like "
            "2024-01-31."
        )
    format = None if form is None else form.format
    return made_column(raw, "date", "", format=format)
