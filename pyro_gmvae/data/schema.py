"""Describe the columns of a training table, and find them in other tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import DamagedError, shortened, typed

__all__ = ["Column", "Schema"]


@dataclass(frozen=True)
class Column:
    """Describe one column of a table.

    Attributes:
        name: its name in the table; None where columns have no names.
        kind: the kind of its numbers.

    >>> Column("height")
    Column(name='height', kind='real')
    """

    name: str | None
    kind: Literal["real"] = "real"


@dataclass(frozen=True)
class Schema:
    """Hold the columns of a table, in the model's order.

    Attributes:
        columns: the columns that a model is trained on.
        left_out: names of columns that the training table had and no model is trained on, such as
            row numbers. Other tables may have them or not.

    >>> schema = Schema.infer(2, ["width", "height"])
    >>> schema.order_of(["height", "width"], "new.csv")
    tensor([1, 0])
    """

    columns: tuple[Column, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def infer(
        cls, width: int, names: Sequence[str] | None = None, left_out: Sequence[str] = ()
    ) -> Schema:
        """Describe ``width`` numeric columns, which have ``names`` or none."""
        every = [None] * width if names is None else list(names)
        return cls(tuple(Column(name) for name in every), tuple(left_out))

    @property
    def names(self) -> tuple[str, ...] | None:
        """Return the names of the columns, or None where they have none."""
        names = tuple(c.name for c in self.columns if c.name is not None)
        return names if len(names) == len(self.columns) and names else None

    def __len__(self) -> int:
        return len(self.columns)

    def order_of(self, names: Sequence[str] | None, source: str) -> Int64[Tensor, " columns"]:
        """Find where another table has these columns.

        Args:
            names: the names of the other table's columns; None where it has none, and then its
                columns are taken to be in order.
            source: the name of the other table in messages.

        Returns:
            The place in the other table of each column of the schema.

        Raises:
            InputError: if a column is missing or unknown.
        """
        if self.names is None or names is None:
            return torch.arange(len(self))
        known = {*self.names, *self.left_out}
        unknown = [n for n in names if n not in known]
        missing = [n for n in self.names if n not in names]
        if unknown or missing:
            has = [f"has a column {shortened(n)} that the model does not know" for n in unknown[:1]]
            lacks = [f"lacks the column {shortened(n)}" for n in missing[:1]]
            raise InputError(
                f"{source} {' and '.join(has + lacks)}: name the columns as in training"
            )
        return torch.tensor([list(names).index(n) for n in self.names])

    def to_config(self) -> list[dict[str, Any]]:
        """Return the columns as plain JSON."""
        return [{"name": c.name, "kind": c.kind} for c in self.columns]

    @classmethod
    def from_config(cls, config: Any, left_out: Any = ()) -> Schema:
        """Rebuild what `to_config` wrote, with the names of the columns that were left out.

        Raises:
            InputError: if it is not what this version writes.
        """
        try:
            return cls(
                typed(tuple[Column, ...], config, "columns"),
                typed(tuple[str, ...], left_out, "left_out"),
            )
        except DamagedError as error:
            raise InputError(f"The stored columns are damaged ({error}): train again.") from error
