"""Describe the columns of a table: their kinds by rule or as the user says, or why they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pyro_gmvae.data.checks import listed, refuse_extremes
from pyro_gmvae.data.columns.doubts import doubts_of_levels, doubts_of_numbers, doubts_of_text
from pyro_gmvae.data.columns.match import Matched, match_column
from pyro_gmvae.data.columns.numbers import guess_numbers, numbers_rows
from pyro_gmvae.data.columns.raw import RawColumn
from pyro_gmvae.data.columns.said import as_said, made_column, of_numbers
from pyro_gmvae.data.columns.twins import redundant_columns
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.columns.words import gap_words, guess_dates, names_rows
from pyro_gmvae.data.schema import Column, Kind, LeftOut, Schema
from pyro_gmvae.errors import InputError

__all__ = ["Described", "describe", "describe_numbers"]

CAPPED_NATS = 2.0  # what a column of levels may tell, before its weight is lowered


@dataclass(frozen=True, eq=False)
class Described:
    """Hold the schema of a table, its cells by that schema, and what was guessed.

    Attributes:
        schema: the columns, and those that are left out.
        values: ``(N, D)`` float64, NaN where a cell is missing.
        notes: a plain sentence for each guess.

    >>> found = describe([RawColumn("spend", "number", np.array([1.5, np.nan, 4.0]))], "t")
    >>> found.schema.names, found.values.shape, found.notes
    (('spend',), (3, 1), ())
    """

    schema: Schema
    values: np.ndarray
    notes: tuple[str, ...]


def describe(raw: Sequence[RawColumn], source: str, wishes: Wishes | None = None) -> Described:
    """Describe the columns of a training table, and read its cells accordingly.

    Args:
        raw: the columns, each with a name of its own.
        source: the name of the table in messages.
        wishes: what the user says about the columns.

    Raises:
        InputError: for wishes that do not fit the table, or if no column can be used.

    >>> spend = RawColumn("spend", "number", np.array([1.5, 2.5, np.nan, 4.0]))
    >>> country = RawColumn("country", "number", np.ones(4))
    >>> found = describe([spend, country], "t")
    >>> found.schema.names, found.schema.left_out[0].why
    (('spend',), 'the same value in every row')
    """
    wishes = Wishes() if wishes is None else wishes
    wishes.checked([_named(c) for c in raw], source)
    _refuse_extremes(raw, wishes, source)
    found: list[tuple[RawColumn, Column | LeftOut, Matched | None]] = []
    notes: list[str] = []
    for column in raw:
        decided = _decided(column, wishes, source, notes)
        matched = match_column(column, decided, source) if isinstance(decided, Column) else None
        found.append((column, decided, matched))
    if not any(matched is not None for _, _, matched in found):
        found = _one_at_least(found, source, wishes, notes)
    kept = [(c, m.values) for _, c, m in found if m is not None and isinstance(c, Column)]
    values = np.stack([v for _, v in kept], 1)
    twins = redundant_columns([c for c, _ in kept], values, fixed=list(_kept_names(wishes)))
    gone = {t.name for t in twins}
    stay = [i for i, (c, _) in enumerate(kept) if c.name not in gone]
    left_out = [c for _, c, _ in found if isinstance(c, LeftOut)]
    columns = [_weighted(kept[i][0], Matched(kept[i][1]), wishes) for i in stay]
    notes += _told_words([(c, m) for _, c, m in found if m is not None])
    notes += _told_left_out([*left_out, *twins])
    return Described(Schema(tuple(columns), (*left_out, *twins)), values[:, stay], tuple(notes))


def describe_numbers(values: np.ndarray, source: str, wishes: Wishes) -> Described:
    """Describe the columns of an array, of which nothing is guessed.

    Args:
        values: ``(N, D)``, NaN where a cell is missing.
        source: the name of the array in messages.
        wishes: what the user says about columns, by their places ``"0"``, ``"1"``, ...; the others
            are real numbers.

    Raises:
        InputError: for wishes that do not fit the array.

    >>> found = describe_numbers(np.eye(3), "X", Wishes(kinds={"1": "binary"}, drop=("2",)))
    >>> [c.kind for c in found.schema.columns], found.schema.left_out[0].name
    (['real', 'binary'], '2')
    """
    raw = [RawColumn(str(i), "number", column) for i, column in enumerate(values.T)]
    wishes.checked([_named(c) for c in raw], source)
    _refuse_extremes(raw, wishes, source)
    columns, kept, left_out = [], [], []
    for i, column in enumerate(raw):
        name = _named(column)
        if name in wishes.drop or (wishes.only is not None and name not in wishes.only):
            left_out.append(LeftOut(name, "by the user"))
            continue
        kind = wishes.kinds.get(name, "real")
        said = as_said(column, kind, source, wishes.levels.get(name))
        why = "by the user" if name in wishes.kinds else ""
        columns.append(
            _weighted(replace(said, why=why), match_column(column, said, source), wishes)
        )
        kept.append(i)
    if not columns:
        raise InputError(f"all columns of {source} are left out: keep at least one.")
    return Described(Schema(tuple(columns), tuple(left_out)), values[:, kept], ())


def _refuse_extremes(raw: Sequence[RawColumn], wishes: Wishes, source: str) -> None:
    """Refuse numbers of which no rule can tell a kind, in columns that are to be used."""
    used = [
        c
        for c in raw
        if _named(c) not in wishes.drop and (wishes.only is None or _named(c) in wishes.only)
    ]
    if used:
        refuse_extremes(np.stack([c.values for c in used], 1), [_named(c) for c in used], source)


def _named(raw: RawColumn) -> str:
    return raw.name or ""


def _kept_names(wishes: Wishes) -> set[str]:
    return {*wishes.kinds, *wishes.levels, *wishes.weights, *(wishes.only or ())}


def _decided(raw: RawColumn, wishes: Wishes, source: str, notes: list[str]) -> Column | LeftOut:
    name = _named(raw)
    if name in wishes.drop:
        return LeftOut(name, "by the user")
    if wishes.only is not None and name not in wishes.only:
        return LeftOut(name, "not named by the user")
    kept = name in _kept_names(wishes)
    distinct = np.unique(raw.known)
    free = raw.cells == "text" and raw.declared is None
    if free and gap_words(raw.levels) == list(raw.levels):
        distinct = distinct[:0]
    if len(distinct) < 2:
        if kept:
            holds = "no known cell" if not len(distinct) else "the same value in every row"
            raise InputError(
                f"{source} has {holds} in the column {name}, which says nothing about clusters: "
                "drop it."
            )
        gaps = len(raw.known) < len(raw.values)
        only = "one value besides gaps" if gaps else "the same value in every row"
        return LeftOut(name, only if len(distinct) else "no cell")
    if name in wishes.kinds:
        made = as_said(raw, wishes.kinds[name], source, wishes.levels.get(name))
        by_rule = _guessed(raw, [])
        return replace(made, why=by_rule.why if by_rule.kind == made.kind else "by the user")
    if not kept and (why := _numbers_or_names(raw)) is not None:
        if free:
            notes += doubts_of_text(name, raw.levels)
        return LeftOut(name, why)
    return _guessed(raw, notes)


def _numbers_or_names(raw: RawColumn) -> str | None:
    """Say why a column only tells rows apart; None if it does not."""
    if raw.cells == "number":
        return numbers_rows(raw.known, _named(raw))
    if raw.cells == "text" and raw.declared is None and guess_dates(raw.levels) is None:
        return names_rows(raw.levels, raw.known)
    return None


def _guessed(raw: RawColumn, notes: list[str]) -> Column:
    """Describe a column that is to be used by the rules."""
    if raw.cells == "number":
        guess = guess_numbers(raw.known, _named(raw))
        if guess.kind in ("real", "amount"):
            notes += doubts_of_numbers(_named(raw), raw.known)
        return of_numbers(raw, guess)
    if raw.cells == "text" and raw.declared is None:
        form = guess_dates(raw.levels)
        if form is not None:
            first = "the month" if form.format.index("%m") < form.format.find("%d") else "the day"
            if form.ambiguous:
                notes.append(
                    f"the dates in {_named(raw)} may have the day or the month first: {first} is "
                    "taken to be first"
                )
            return made_column(raw, "date", f"dates such as {raw.levels[0]}", format=form.format)
        gaps = gap_words(raw.levels)
        levels = tuple(v for v in raw.levels if v not in gaps)
        kind: Kind = "binary" if len(levels) == 2 else "category"
        notes += [*doubts_of_text(_named(raw), levels), *doubts_of_levels(_named(raw), levels)]
        return made_column(raw, kind, f"{len(levels)} different names", levels=levels)
    if raw.cells == "text":
        kind = "binary" if len(raw.levels) == 2 else raw.column.kind
        return made_column(raw, kind, "as the data frame says", levels=raw.levels)
    words = {"boolean": "truth values", "date": "dates"}[raw.cells]
    return replace(raw.column, why=words)


def _weighted(column: Column, found: Matched, wishes: Wishes) -> Column:
    """Give a column its gaps and its weight: the user's, or less than 1 for many levels."""
    name, values = column.name or "", found.values
    column = replace(column, gaps=round(float(np.isnan(values).mean()), 4))
    if name in wishes.weights:
        return replace(column, weight=wishes.weights[name])
    if not column.has_levels:
        return column
    _, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    shares = counts / counts.sum()
    entropy = float(-(shares * np.log(shares)).sum())
    return replace(
        column, weight=1.0 if entropy <= CAPPED_NATS else round(CAPPED_NATS / entropy, 4)
    )


Found = list[tuple[RawColumn, Column | LeftOut, Matched | None]]


def _one_at_least(found: Found, source: str, wishes: Wishes, notes: list[str]) -> Found:
    """Take columns that only tell rows apart, where there is nothing else.

    Raises:
        InputError: if there are none either.
    """
    if not found:
        raise InputError(f"{source} has no columns: give it at least one column of numbers.")
    said = {*wishes.drop, *(() if wishes.only is None else {_named(r) for r, _, _ in found})}
    usable = [r for r, _, _ in found if len(np.unique(r.known)) > 1 and _named(r) not in said]
    if not usable:
        names = listed(_named(r) for r, _, _ in found)
        raise InputError(
            f"{source} has no column to cluster by: each has the same value in every row, no cell, "
            f"or is left out by you: drop {names}, or give other columns."
        )
    taken: Found = []
    for raw, decided, matched in found:
        if raw in usable:
            column = _guessed(raw, notes)
            taken.append((raw, column, match_column(raw, column, source)))
        else:
            taken.append((raw, decided, matched))
    return taken


def _told_words(found: Sequence[tuple[Column | LeftOut, Matched]]) -> list[str]:
    """Say which words of columns of text are taken for gaps."""
    told = []
    for column, matched in found:
        for word, count in matched.words.items():
            cells = "cell" if count == 1 else "cells"
            told.append(
                f"{word!r} in {count} {cells} of {column.name} is taken for a missing value"
            )
        if matched.unseen:
            told.append(
                f"{listed(map(repr, matched.unseen))} in {column.name} is no level or date, so it "
                "is taken for a missing value"
            )
    return told


def _told_left_out(left_out: Sequence[LeftOut]) -> list[str]:
    """Write a sentence for each reason for which columns are left out."""
    reasons: dict[str, list[str]] = {}
    for column in left_out:
        reasons.setdefault(column.why, []).append(column.name)
    return [f"left out: {listed(names)} ({why})" for why, names in reasons.items()]
