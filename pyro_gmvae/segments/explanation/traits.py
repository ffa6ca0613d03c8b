"""Find the columns that set each cluster apart, with simultaneous intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pyro_gmvae.data.schema import Schema
from pyro_gmvae.segments.explanation.first_step import Refitted
from pyro_gmvae.segments.explanation.imputation import Memberships, Pooled, pooled
from pyro_gmvae.segments.explanation.looks import Look, Measure, Pairs, Part, looks_at

__all__ = ["ALPHA", "Effect", "Trait", "Traits", "pairs_of", "traits_of"]

ALPHA = 0.05
COMMONER = 1.25  # a level that is rarer here is told only if it differs by that much more


@dataclass(frozen=True)
class Effect:
    """Hold an effect with its errors.

    Attributes:
        measure: the kind of effect.
        estimate: the effect.
        error: its standard error: of sampling, of the draws of the clusters, and of the clusters
            themselves where they were fitted again.
        df: degrees of freedom of Student's t.
        low, high: the ends of the simultaneous interval.

    >>> effect = Effect("log odds ratio", 1.0, 0.5, 1e9, -0.6, 2.6)
    >>> [round(end, 2) for end in effect.interval(0.05)], effect.clear
    ([0.02, 1.98], False)
    """

    measure: Measure
    estimate: float
    error: float
    df: float
    low: float
    high: float

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Return the interval of this effect alone, which misses with probability ``alpha``."""
        ends = Pooled(*map(np.atleast_1d, (self.estimate, self.error, self.df))).interval(alpha)
        return float(ends[0][0]), float(ends[1][0])

    @property
    def clear(self) -> bool:
        """Return True if the simultaneous interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Trait:
    """Hold how a cluster differs in one column from other rows.

    Attributes:
        column: the name of the column.
        part: ``"value"``, the mean of its cells; ``"level"``, the share of a level;
            ``"unusual"``, the share of cells that are not the usual value; ``"gap"``, the share
            of missing cells.
        level: the level, or None.
        effect: the difference with its interval.
        here, there: the means or shares that are compared, in the units of the table; amounts by
            the mean of their logarithms.
        difference: the difference in standard deviations of the column, or of the indicator of the
            level, by which traits are ordered.

    >>> effect = Effect("log odds ratio", 1.0, 0.25, 1e9, 0.5, 1.5)
    >>> trait = Trait("tier", "level", "gold", effect, here=0.5, there=0.27, difference=0.5)
    >>> trait.to_dict()["level"], trait.to_dict()["clear"]
    ('gold', True)
    """

    column: str
    part: Part
    level: str | None
    effect: Effect
    here: float
    there: float
    difference: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = asdict(self) | {"clear": self.effect.clear}
        if not np.isfinite(self.effect.df):
            values["effect"]["df"] = None
        return values


@dataclass(frozen=True)
class Traits:
    """Hold what sets clusters apart, the strongest differences first, at most one a column's part.

    Attributes:
        by_pair: the traits of each pair of clusters that were compared.
        comparisons: how many effects were looked at, by which the intervals are corrected.
        alpha: the probability that any of all intervals misses.

    >>> x, two = np.arange(40.0)[:, None], np.repeat([0, 1], 20)
    >>> draws = Memberships(np.stack([two, two]), 2)
    >>> schema, pairs = Schema.of_numbers(1, ["age"]), [(0, None), (1, None)]
    >>> found = traits_of(schema, x, draws, pairs, np.ones(40))
    >>> [round(found.by_pair[pair][0].here, 6) for pair in pairs], found.comparisons
    ([9.5, 29.5], 2)
    """

    by_pair: dict[tuple[int, int | None], tuple[Trait, ...]]
    comparisons: int
    alpha: float = ALPHA


def traits_of(
    schema: Schema,
    x: np.ndarray,
    draws: Memberships,
    pairs: Pairs,
    weights: np.ndarray,
    again: Refitted | None = None,
) -> Traits:
    """Compare clusters in all columns.

    The intervals hold together with probability 95 %, whatever is picked from them: each is of
    level 1 - 0.05 / comparisons (Bonferroni). They are about clusters of this number and form; that
    there are such clusters is no question that they answer, for the same cells made the clusters.

    Args:
        schema: the D columns.
        x: ``(N, D)`` in raw units, NaN where a cell is missing.
        draws: draws of the rows' clusters.
        pairs: a cluster and the one that it is compared with; None is all rows but its own.
        weights: ``(N,)`` how much each row counts.
        again: the segments fitted again, whose variance the intervals count too; None takes the
            segments as known.

    >>> x, two = np.arange(40.0)[:, None], np.repeat([0, 1], 20)
    >>> draws = Memberships(np.stack([two, two]), 2)
    >>> found = traits_of(Schema.of_numbers(1, ["age"]), x, draws, [(1, None)], np.ones(40))
    >>> trait = found.by_pair[1, None][0]
    >>> trait.column, trait.here, round(trait.effect.estimate, 2), trait.effect.clear
    ('age', 29.5, 1.73, True)
    """
    found: list[tuple[str, Look, Pooled]] = []
    for column, name, cells in zip(schema.columns, schema.shown_names, x.T, strict=True):
        of_segments = {} if again is None else again.variances(column, cells, weights, pairs)
        for look in looks_at(column, cells, weights, draws, pairs):
            own = pooled(look.contrast.estimate, look.contrast.variance)
            if again is not None:
                own = own.with_variance(again.added(look, of_segments))
            found.append((name, look, own))
    comparisons = max(sum(_number_of(p.estimate) for *_, p in found), 1)
    by_pair: dict[tuple[int, int | None], tuple[Trait, ...]] = {}
    for place, pair in enumerate(pairs):
        made = (_strongest(*each, place, ALPHA / comparisons) for each in found)
        by_pair[pair] = _ordered(trait for trait in made if trait is not None)
    return Traits(by_pair, comparisons)


def _number_of(estimates: np.ndarray) -> int:
    """Count the effects of a look; those of two levels are one."""
    finite = np.isfinite(estimates).sum()
    return int(finite // 2 if estimates.shape[-1] == 2 else finite)


def _strongest(name: str, look: Look, result: Pooled, place: int, alpha: float) -> Trait | None:
    """Return the level with the largest difference; rather one that is commoner here than rarer."""
    means = [part.mean(0)[place] for part in look.contrast[2:]]
    difference = means[0]
    usable = np.isfinite(result.estimate[place]) & np.isfinite(difference)
    if not usable.any():
        return None
    size = np.where(usable, np.abs(difference) * np.where(difference > 0, COMMONER, 1.0), -1.0)
    at = int(size.argmax())
    low, high = (float(end[place, at]) for end in result.interval(alpha))
    parts = (result.estimate, result.error, result.df)
    estimate, error, df = (float(part[place, at]) for part in parts)
    effect = Effect(look.measure, estimate, error, df, low, high)
    here, there = (float(look.to_unit(mean)[at]) for mean in means[1:])
    level = look.levels[at] if look.part == "level" else None
    return Trait(name, look.part, level, effect, here, there, float(difference[at]))


def _ordered(traits: Iterable[Trait]) -> tuple[Trait, ...]:
    return tuple(sorted(traits, key=lambda t: (not t.effect.clear, -abs(t.difference))))


def pairs_of(used: Sequence[int], nearest: dict[int, int]) -> list[tuple[int, int | None]]:
    """List the comparisons: each cluster with the rest, and with its nearest one.

    >>> pairs_of([0, 2], {0: 2, 2: 0})
    [(0, None), (2, None), (0, 2), (2, 0)]
    """
    if len(used) < 2:
        return []
    return [*((k, None) for k in used), *((k, nearest[k]) for k in used)]
