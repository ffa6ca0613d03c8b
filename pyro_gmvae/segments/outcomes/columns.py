"""Read a column that was not clustered on: its numbers, or the indicators of its levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from pyro_gmvae.data.beside import frame_beside
from pyro_gmvae.data.columns.wishes import Wishes, wishes_of
from pyro_gmvae.data.tables import from_frame
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import cut, shortened

if TYPE_CHECKING:
    import pandas

__all__ = ["MOST_LEVELS", "OutcomeColumn", "OutcomeKind", "outcome_frame", "read_outcome"]

OutcomeKind = Literal["mean", "date", "share"]
MOST_LEVELS = 50  # with more, a table of shares tells nobody anything


@dataclass(frozen=True, eq=False)
class OutcomeColumn:
    """Hold an outcome as the estimates take it.

    Attributes:
        name: the name of the column.
        kind: ``"mean"`` of a number, ``"date"`` (the mean, in days since 1970-01-01), or
            ``"share"`` of each level.
        levels: the names of the L levels; of a number, its own name.
        z: ``(N, L)`` indicators of levels, or the number; 0 where it is missing.
        known: ``(N,)`` whether the cell is not missing.

    >>> z = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> tier = OutcomeColumn("tier", "share", ("gold", "silver"), z, np.array([True, True, False]))
    >>> dict(zip(tier.levels, tier.z[tier.known].mean(0).tolist(), strict=True))
    {'gold': 0.5, 'silver': 0.5}
    """

    name: str
    kind: OutcomeKind
    levels: tuple[str, ...]
    z: Float[np.ndarray, "N L"]
    known: Bool[np.ndarray, " N"]


def outcome_frame(outcomes: Any, n_rows: int) -> pandas.DataFrame:
    """Bring what users hand over to a data frame of the same rows as the responsibilities.

    Args:
        outcomes: a data frame, a named column, a dict from names to columns, or an array ``(N,)``.
            Rows are matched by their order; an index is ignored.
        n_rows: N.

    Raises:
        InputError: for another number of rows, no column, or two of one name.

    >>> outcome_frame({"churn": [0, 1]}, 2)
       churn
    0      0
    1      1
    """
    return frame_beside(outcomes, n_rows, "outcome")


def read_outcome(
    frame: pandas.DataFrame, name: str, kinds: Mapping[str, str] | None = None
) -> OutcomeColumn:
    """Read a column by the rules for a training table: what it means is guessed, or said.

    Args:
        frame: the outcomes.
        name: the column.
        kinds: kinds of columns by name, where a guess is wrong (see `pyro_gmvae.data.Column`).

    Raises:
        InputError: for a column with the same value in every row, with more than 50 levels, or
            that is not of its kind.

    >>> import pandas
    >>> read = read_outcome(pandas.DataFrame({"tier": ["a", "b", None, "b"]}), "tier")
    >>> read.levels, read.z[:, 1], int(read.known.sum())
    (('a', 'b'), array([0., 1., 0., 1.]), 3)
    """
    column = frame[[name]]
    cells = column[name]
    if cells.nunique() < 2:
        holds = "no known cell" if cells.isna().all() else "the same value in every row"
        raise InputError(
            f"the outcome {cut(name)} has {holds}, so no segments differ: leave it out"
        )
    said = (kinds or {}).get(name)
    wishes = Wishes() if said is None else wishes_of({name: said})
    data = from_frame(column, name="the table of outcomes", purpose="fit", wishes=wishes)
    assert data.schema is not None
    (described,) = data.schema.columns
    values = data.x[:, 0].numpy()
    known = ~np.isnan(values)
    if not described.has_levels:
        z = np.where(known, values, 0.0)[:, None]
        return OutcomeColumn(
            name, "date" if described.cells == "date" else "mean", (name,), z, known
        )
    codes = np.array(
        described.levels if described.cells == "number" else range(len(described.levels))
    )
    z = (values[:, None] == codes.astype(np.float64)).astype(np.float64)
    seen = z.any(0)
    levels = tuple(n for n, s in zip(described.level_names, seen, strict=True) if s)
    if len(levels) > MOST_LEVELS:
        raise InputError(
            f"the outcome {cut(name)} has {len(levels)} different values, such as "
            f"{shortened(levels[0])}: group them into at most {MOST_LEVELS}, or say by kinds that "
            "it is real"
        )
    return OutcomeColumn(name, "share", levels, z[:, seen], known)
