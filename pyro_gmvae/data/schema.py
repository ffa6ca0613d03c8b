"""Describe the columns of a table: what their cells are, and what they mean to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any, Literal, get_args

from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import DamagedError, shortened, typed

__all__ = [
    "KINDS",
    "MOST_LEVELS",
    "OF_LEVELS",
    "Cells",
    "Column",
    "Kind",
    "LeftOut",
    "Schema",
    "shown_number",
]

Kind = Literal["real", "amount", "count", "binary", "category", "ordinal", "date", "spike"]
Cells = Literal["number", "text", "date", "boolean"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OF_LEVELS = ("binary", "category", "ordinal")
MOST_LEVELS = 100_000


@dataclass(frozen=True)
class Column:
    """Describe one column of a table.

    Attributes:
        name: its name in the table; None where columns have no names.
        kind: what its cells mean: ``"real"``, a number; ``"amount"``, a skewed number whose
            logarithm is modelled; ``"count"``, 0, 1, 2, ...; ``"binary"``, ``"category"`` and
            ``"ordinal"``, one of some levels; ``"date"``; ``"spike"``, a number that has one usual
            value.
        cells: how its cells are written: numbers, text, dates or truth values.
        levels: the levels in the order of their codes 0, 1, ...: text, or the numbers that stand
            for them in a column of numbers.
        usual: the usual value of a spike.
        format: how its dates are written, for ``strptime``.
        weight: what it weighs in training; a column of many levels would rule the clusters.
        gaps: the share of its cells that were missing when it was described.
        why: one line that says by what its kind was chosen.

    >>> Column("height")
    Column(name='height', kind='real')
    >>> Column("tier", "category", "text", levels=("gold", "silver")).level_names
    ('gold', 'silver')
    """

    name: str | None
    kind: Kind = "real"
    cells: Cells = "number"
    levels: tuple[str | float, ...] = ()
    usual: float | None = None
    format: str | None = None
    weight: float = 1.0
    gaps: float = 0.0
    why: str = ""

    def __repr__(self) -> str:
        said = {n: v for n, v in asdict(self).items() if n == "name" or v != _DEFAULTS.get(n)}
        said = {"name": self.name, "kind": self.kind} | said
        return f"Column({', '.join(f'{n}={v!r}' for n, v in said.items())})"

    @property
    def has_levels(self) -> bool:
        """Return True if the model sees codes of levels."""
        return self.kind in OF_LEVELS

    @property
    def level_names(self) -> tuple[str, ...]:
        """Return the levels as text."""
        return tuple(v if isinstance(v, str) else shown_number(v) for v in self.levels)

    def to_config(self) -> dict[str, Any]:
        """Return what is not the default as plain JSON, the name and the kind in any case."""
        said = {n: v for n, v in asdict(self).items() if v != _DEFAULTS.get(n)}
        if self.levels:
            said["levels"] = list(self.levels)
        return {"name": self.name, "kind": self.kind} | said


_DEFAULTS = {f.name: f.default for f in fields(Column)}


@dataclass(frozen=True)
class LeftOut:
    """Name a column that no model is trained on, and the reason.

    >>> LeftOut("customer_id", "it numbers the rows").name
    'customer_id'
    """

    name: str
    why: str = ""


@dataclass(frozen=True)
class Schema:
    """Hold the columns of a table, in the model's order.

    Attributes:
        columns: the columns that a model is trained on.
        left_out: columns that the training table had and no model is trained on, such as row
            numbers. Other tables may have them or not.

    >>> schema = Schema.of_numbers(2, ["width", "height"])
    >>> schema.names, schema.is_plain
    (('width', 'height'), True)
    """

    columns: tuple[Column, ...]
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def of_numbers(cls, width: int, names: Sequence[str] | None = None) -> Schema:
        """Describe ``width`` columns of real numbers, which have ``names`` or none."""
        every = [None] * width if names is None else list(names)
        return cls(tuple(Column(name) for name in every))

    @property
    def names(self) -> tuple[str, ...] | None:
        """Return the names of the columns, or None where they have none."""
        names = tuple(c.name for c in self.columns if c.name is not None)
        return names if len(names) == len(self.columns) and names else None

    @property
    def is_numbered(self) -> bool:
        """Return True if its names are the places in an array, which has no names of its own."""
        names = (*(self.names or ()), *(c.name for c in self.left_out))
        return self.names is not None and sorted(names) == sorted(map(str, range(len(names))))

    @property
    def shown_names(self) -> tuple[str, ...]:
        """Return a name for each column in messages; columns without one are numbered."""
        return tuple(
            f"column {i}" if c.name is None else c.name for i, c in enumerate(self.columns)
        )

    @property
    def is_plain(self) -> bool:
        """Return True if every column is of real numbers."""
        return all(c.kind == "real" and c.cells == "number" for c in self.columns)

    @property
    def has_other_cells(self) -> bool:
        """Return True if a column is of text, dates or truth values."""
        return any(c.cells != "number" for c in self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def as_numbers(self) -> Schema:
        """Return the same columns, each a real number, for a likelihood that knows no kinds."""
        return replace(self, columns=tuple(Column(c.name, gaps=c.gaps) for c in self.columns))

    def to_config(self) -> list[dict[str, Any]]:
        """Return the columns as plain JSON."""
        return [c.to_config() for c in self.columns]

    def left_out_config(self) -> list[dict[str, str]]:
        """Return the columns that are left out as plain JSON."""
        return [asdict(column) for column in self.left_out]

    def to_file(self) -> dict[str, Any]:
        """Return all that a file of columns holds, as plain JSON."""
        return {"columns": self.to_config(), "left_out": self.left_out_config()}

    @classmethod
    def from_config(cls, config: Any, left_out: Any = ()) -> Schema:
        """Rebuild what `to_config` and `left_out_config` wrote; names alone will do for the latter.

        Raises:
            InputError: if it is not what this version writes.
        """
        try:
            columns = typed(tuple[Column, ...], config, "columns")
            named = typed(tuple[LeftOut | str, ...], left_out, "left_out")
            return cls(
                tuple(map(_checked, columns)),
                tuple(LeftOut(c) if isinstance(c, str) else c for c in named),
            )
        except DamagedError as error:
            raise InputError(f"The stored columns are damaged ({error}): train again.") from error

    @classmethod
    def described(cls, entries: Sequence[dict[str, Any]]) -> Schema:
        """Build a schema that a person may have edited, whose parts need not fit one another yet.

        Raises:
            DamagedError: naming the entry that is of another type.
        """
        return cls(typed(tuple[Column, ...], list(entries), "columns"))


def shown_number(value: float) -> str:
    """Write a number as people do: a whole one without a decimal point.

    >>> shown_number(3.0), shown_number(0.5)
    ('3', '0.5')
    """
    whole = value == int(value) and abs(value) < 2**53 if isfinite(value) else False
    return str(int(value)) if whole else repr(float(value))


def _checked(column: Column) -> Column:
    """Refuse a stored column whose parts contradict one another."""
    name, levels = f"the column {shortened(column.name)}", column.levels
    of_numbers = column.cells == "number"
    if column.has_levels:
        if not 1 <= len(levels) <= MOST_LEVELS or len(set(levels)) < len(levels):
            raise DamagedError(f"{name} lacks levels, or names one twice")
        if any(isinstance(v, str) == of_numbers for v in levels):
            raise DamagedError(f"{name} has levels that are not like its cells")
    elif levels or column.cells in ("text", "boolean"):
        raise DamagedError(f"{name} is {column.kind} of {column.cells} with {len(levels)} levels")
    if of_numbers and levels:
        numbers = [float(v) for v in levels]
        if not all(map(isfinite, numbers)) or sorted(numbers) != numbers:
            raise DamagedError(f"{name} has levels that are not in order")
        levels = tuple(numbers)
    if (column.kind == "spike") != (column.usual is not None):
        raise DamagedError(f"{name} is {column.kind} with the usual value {column.usual}")
    if column.usual is not None and not (of_numbers and isfinite(column.usual)):
        raise DamagedError(f"{name} has a usual value that is no number")
    if column.cells == "date" and (column.kind != "date" or column.format is None):
        raise DamagedError(f"{name} has dates without a format, or of kind {column.kind}")
    if not (isfinite(column.weight) and column.weight > 0 and 0 <= column.gaps <= 1):
        raise DamagedError(f"{name} has the weight {column.weight} and the gaps {column.gaps}")
    return replace(column, levels=levels)
