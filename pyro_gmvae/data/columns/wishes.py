"""Hold what a user says about the columns of a table, and check it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

from pyro_gmvae.data.checks import near_or_all
from pyro_gmvae.data.schema import KINDS, Kind, LeftOut, Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.ranges import plain, shown
from pyro_gmvae.stored import DamagedError, parse_json, read_bytes, shortened, typed

__all__ = ["Wishes", "checked_kind", "read_schema_file", "stated_wishes", "wishes_of"]

MOST_WEIGHT = 1e6
DROP = "drop"


@dataclass(frozen=True)
class Wishes:
    """Say what the guesses about columns do not decide.

    Attributes:
        kinds: kinds of columns, by name. Such a column is never left out.
        levels: levels of columns in the order that is meant, by name.
        weights: weights of columns in training, by name.
        drop: names of columns to leave out.
        only: names of the columns to train on; None is all.

    Columns without names are named by their places, ``"0"``, ``"1"``, ...

    >>> Wishes(kinds={"size": "ordinal"}, drop=("customer",)).checked(["size", "customer"], "t")
    >>> Wishes(drop=("custmer",)).checked(["size", "customer"], "t")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: t has no column custmer: did you mean customer?
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    levels: Mapping[str, tuple[str | float, ...]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None

    def checked(self, names: Sequence[str], source: str) -> None:
        """Refuse names that a table does not have, and wishes that contradict one another.

        Raises:
            InputError: naming the wrong name, and one like it if there is one.
        """
        said = (*self.kinds, *self.levels, *self.weights, *self.drop, *(self.only or ()))
        for name in said:
            if name not in names:
                raise InputError(f"{source} has no column {name}: {near_or_all(name, names)}")
        both = [name for name in self.drop if name in self.kinds or name in (self.only or ())]
        if both:
            raise InputError(f"the column {both[0]} is to be dropped and to be used: choose one.")
        for name, weight in self.weights.items():
            if not (isfinite(weight) and 0 < weight <= MOST_WEIGHT):
                raise InputError(
                    f"the weight of the column {name} is {weight:g}: choose one above 0, up to "
                    f"{MOST_WEIGHT:g}; drop a column that is to have none."
                )

    def without(self, name: str) -> Wishes:
        """Forget what is said about a column that serves something else, such as the labels.

        >>> Wishes(kinds={"kind": "binary"}, only=("kind", "age")).without("kind").only
        ('age',)
        """
        return Wishes(
            {n: kind for n, kind in self.kinds.items() if n != name},
            {n: levels for n, levels in self.levels.items() if n != name},
            {n: weight for n, weight in self.weights.items() if n != name},
            tuple(n for n in self.drop if n != name),
            None if self.only is None else tuple(n for n in self.only if n != name),
        )

    def of(self, names: Sequence[str]) -> Wishes:
        """Keep what is said about some columns, which are all used.

        >>> Wishes(kinds={"kind": "binary", "age": "count"}, only=("kind",)).of(["age"]).kinds
        {'age': 'count'}
        """
        return Wishes(
            {n: kind for n, kind in self.kinds.items() if n in names},
            {n: levels for n, levels in self.levels.items() if n in names},
        )

    def and_then(self, other: Wishes) -> Wishes:
        """Join the wishes; where they contradict one another, ``other`` decides."""
        drop = [n for n in self.drop if n not in other.kinds and n not in (other.only or ())]
        kinds = {n: k for n, k in self.kinds.items() if n not in other.drop}
        return Wishes(
            {**kinds, **other.kinds},
            {n: v for n, v in {**self.levels, **other.levels}.items() if n not in other.drop},
            {n: v for n, v in {**self.weights, **other.weights}.items() if n not in other.drop},
            (*drop, *other.drop),
            self.only if other.only is None else other.only,
        )


def wishes_of(said: Any) -> Wishes:
    """Return the wishes that a user states as the estimator's ``schema``.

    Args:
        said: None; a `Schema`; the path of a file that ``pyro-gmvae schema`` wrote; or a dict from
            names, or places from 0 on, of columns to kinds, or to ``"drop"``.

    Raises:
        InputError: for anything else, or an unknown kind.

    >>> wishes_of({"age": "count", 3: "drop"}).kinds
    {'age': 'count'}
    """
    if said is None:
        return Wishes()
    if isinstance(said, Wishes):
        return said
    if isinstance(said, Schema):
        return _of_schema(said)
    if isinstance(said, str | Path):
        return _of_schema(read_schema_file(Path(said)))
    if not isinstance(said, Mapping):
        raise InputError(
            f"schema is {shown(said)}: give a dict from columns to kinds, a Schema, or the "
            "path of a file that the command schema wrote."
        )
    kinds: dict[str, Kind] = {}
    drop = []
    for key, value in said.items():
        name, kind = str(plain(key)), plain(value)
        if kind == DROP:
            drop.append(name)
        else:
            kinds[name] = checked_kind(kind, name)
    return Wishes(kinds, drop=tuple(drop))


def stated_wishes(
    kinds: Sequence[str], drop: Sequence[str], only: Sequence[str], weights: Sequence[str]
) -> Wishes:
    """Return the wishes that are written as ``name=kind`` and ``name=weight``.

    Raises:
        InputError: for a text without ``=``, an unknown kind, or a weight that is no number.

    >>> stated_wishes(["age=count"], [], ["age", "spend"], ["age=0.5"]).weights
    {'age': 0.5}
    """
    said = [_parts(text, "column", "category") for text in kinds]
    weighed = {}
    for text in weights:
        name, weight = _parts(text, "column weight", "0.5")
        try:
            weighed[name] = float(weight)
        except ValueError:
            raise InputError(
                f"the weight of the column {name} is {shortened(weight)}: give a number."
            ) from None
    return Wishes(
        {name: checked_kind(kind, name) for name, kind in said},
        weights=weighed,
        drop=tuple(drop),
        only=tuple(only) or None,
    )


def _parts(text: str, what: str, example: str) -> tuple[str, str]:
    """Part a text at its last ``=``, for names may hold one."""
    name, sign, value = text.rpartition("=")
    if not sign or not name:
        raise InputError(
            f"{what} is {shortened(text)}, which names no column: write it like name={example}."
        )
    return name, value.strip()


def checked_kind(kind: Any, name: str) -> Kind:
    """Return a kind that exists.

    Raises:
        InputError: naming the kinds.

    >>> checked_kind("categry", "tier")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: the schema says 'categry' of the column tier: did you mean ...
    """
    if isinstance(kind, str) and kind in KINDS:
        return kind
    near = difflib.get_close_matches(kind, KINDS, 1) if isinstance(kind, str) else []
    known = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(KINDS)}."
    raise InputError(f"the schema says {shown(kind)} of the column {name}: {known}")


def read_schema_file(path: Path) -> Schema:
    """Read the file that ``pyro-gmvae schema -o FILE`` writes.

    A column may have its ``kind``, ``levels`` or ``weight`` changed there. What does not fit its
    new kind any more need not be taken out.

    Raises:
        InputError: if there is no such file, or its content is no schema.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "columns.json")
    ...     _ = path.write_text('{"columns": [{"name": "age", "kind": "count"}]}')
    ...     read_schema_file(path).columns
    (Column(name='age', kind='count'),)
    """
    if not os.path.isfile(path):  # also where a name is too long for the system
        raise InputError(f"There is no schema file {path}: check its path.")
    try:
        content = typed(dict[str, Any], parse_json(read_bytes(path)), "it")
        if unknown := content.keys() - {"columns", "left_out"}:
            raise DamagedError(f"it has an unknown entry {shortened(min(unknown))}")
        entries = typed(tuple[dict[str, Any], ...], content.get("columns"), "columns")
        left_out = typed(tuple[LeftOut | str, ...], content.get("left_out", []), "left_out")
        for entry in entries:
            if "name" in entry and "kind" in entry:
                checked_kind(entry["kind"], str(entry["name"]))
        found = Schema.described(entries)
    except (DamagedError, OSError) as error:
        raise InputError(
            f"{path} is no description of columns ({error}): write one with the command schema."
        ) from error
    return replace(found, left_out=tuple(LeftOut(c) if isinstance(c, str) else c for c in left_out))


def _of_schema(schema: Schema) -> Wishes:
    names = [c.name or str(i) for i, c in enumerate(schema.columns)]
    columns = dict(zip(names, schema.columns, strict=True))
    return Wishes(
        {n: c.kind for n, c in columns.items()},
        {n: c.levels for n, c in columns.items() if c.has_levels and c.levels},
        {n: c.weight for n, c in columns.items() if c.weight != 1.0},
        tuple(c.name for c in schema.left_out),
    )
