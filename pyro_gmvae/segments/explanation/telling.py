"""Choose the few traits of a cluster that say different things."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data.columns.profiles import comparable
from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.segments.explanation.traits import Trait

__all__ = ["telling_traits"]

SAME = 0.8  # correlation over the rows from which two traits say the same
LEAST = 0.2  # standard deviations that a difference has at least
TOLD = 3


def telling_traits(
    schema: Schema, x: Float[Tensor, "N D"], traits: Sequence[Trait], count: int = TOLD
) -> tuple[Trait, ...]:
    """Choose clear traits from the strongest on, leaving out those that say the same of each row.

    Two traits say the same if they are correlated by 0.8 or more over the rows, as "married" and
    "a husband" are. A column gives one trait. Differences below 0.2 standard deviations are left
    out, however certain they are.

    Args:
        schema: the D columns.
        x: rows in raw units.
        traits: the traits of a cluster, the strongest first.
        count: the most that are chosen.

    >>> import torch
    >>> from pyro_gmvae.segments.explanation.imputation import Memberships
    >>> from pyro_gmvae.segments.explanation.traits import traits_of
    >>> age, two = np.arange(40.0), np.repeat([0, 1], 20)
    >>> x = np.stack([age, 12 * age], 1)  # the same in years and in months
    >>> schema = Schema.of_numbers(2, ["years", "months"])
    >>> draws = Memberships(np.stack([two, two]), 2)
    >>> traits = traits_of(schema, x, draws, [(1, None)], np.ones(40)).by_pair[1, None]
    >>> len(traits), len(telling_traits(schema, torch.from_numpy(x), traits))
    (2, 1)
    """
    places = {name: i for i, name in enumerate(schema.shown_names)}
    chosen: list[Trait] = []
    cells: list[np.ndarray] = []
    for trait in traits:
        if len(chosen) == count:
            break
        if not trait.effect.clear or abs(trait.difference) < LEAST:
            continue
        place = places[trait.column]
        own = _cells_of(schema.columns[place], x[:, place].double().numpy(), trait)
        same = any(trait.column == other.column for other in chosen)
        if not same and not any(abs(_correlation(own, other)) > SAME for other in cells):
            chosen.append(trait)
            cells.append(own)
    return tuple(chosen)


def _cells_of(column: Column, cells: np.ndarray, trait: Trait) -> np.ndarray:
    """Return what a trait compares, a number for each row, NaN where it is missing."""
    known = np.isfinite(cells)
    if trait.part == "gap":
        return 1.0 - known
    if trait.part == "unusual":
        return np.where(known, cells != column.usual, np.nan)
    if trait.part == "level":
        level = column.levels[column.level_names.index(str(trait.level))]
        code = level if column.cells == "number" else column.levels.index(level)
        return np.where(known, cells == code, np.nan)
    made = np.full(len(cells), np.nan)
    made[known] = comparable(column, cells[known])
    return made


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation over rows where both are known; 0 where one does not vary."""
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3 or not one[known].std() or not other[known].std():
        return 0.0
    return float(np.corrcoef(one[known], other[known])[0, 1])
