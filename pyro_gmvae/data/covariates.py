"""Turn covariates into the standardised columns of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from pyro_gmvae.data.columns.conform import conform_columns
from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import DamagedError, cut, typed

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["CovariateDesign", "Term", "refuse_dependent", "units_matrix"]

DAYS = 365.25  # of a year, in which dates count
SAME = 1e-8  # share of the largest singular value that is 0 but for rounding
MOST_LEVELS = 50  # of a covariate; each has a coefficient in each cluster


@dataclass(frozen=True)
class Term:
    """Name a column of the regression.

    Attributes:
        covariate: the column of the user; None for the constant.
        level: the level that it stands for; None for a number or a date.
        base: the level that it is compared with.
        gap: whether it says that the cell is missing.

    >>> str(Term("tier", "gold", "iron")), str(Term(None)), str(Term("age", gap=True))
    ('tier: gold', 'constant', 'age: missing')
    """

    covariate: str | None
    level: str | None = None
    base: str | None = None
    gap: bool = False

    def __str__(self) -> str:
        if self.covariate is None:
            return "constant"
        level = "missing" if self.gap else self.level
        return self.covariate if level is None else f"{self.covariate}: {level}"


def refuse_dependent(standard: Float[np.ndarray, "N P"]) -> None:
    """Refuse covariates of which one follows from the others.

    Args:
        standard: the standardised columns of the regression.

    Raises:
        InputError: if the columns do not span as many dimensions as there are.

    >>> refuse_dependent(np.eye(3))
    """
    sizes = np.linalg.svd(standard, compute_uv=False)
    if len(sizes) < standard.shape[1] or sizes[-1] < SAME * sizes[0]:
        raise InputError(
            "one of the covariates follows from the others, such as a total from its parts: "
            "leave it out"
        )


def units_matrix(
    shift: Float[np.ndarray, " P"], scale: Float[np.ndarray, " P"]
) -> Float[np.ndarray, "P P"]:
    """Return the matrix that takes coefficients of standardised columns to the user's units.

    Args:
        shift: the means of the columns; 0 for the constant, which comes first.
        scale: their standard deviations; 1 for the constant.

    >>> units_matrix(np.array([0.0, 30.0]), np.array([1.0, 10.0])) @ np.array([0.5, 2.0])
    array([-5.5,  0.2])
    """
    matrix = np.diag(1 / scale)
    matrix[0] -= shift / scale
    return matrix


@dataclass(frozen=True)
class CovariateDesign:
    """Map covariates in the user's units to P standardised numbers w.

    A number counts by itself, a date in years since 1970. Each level but the most frequent one gets
    a term. Every row has a cluster, so that rows with a gap cannot be left out: a missing cell
    counts as the mean. Where training had gaps in a column, a term of its own says that the cell is
    missing, so that such rows need not be like the average.

    Attributes:
        schema: the columns, as they were read in training.
        terms: what each of the P numbers is.
        shift: their means, in the user's units.
        scale: their standard deviations.

    >>> from pyro_gmvae.data.covariate_columns import read_covariates
    >>> ages, tiers = [20.0, 40.0, None, 30.0, 30.0], ["a", "b", "b", "b", "a"]
    >>> given = read_covariates({"age": ages, "tier": tiers}, 5)
    >>> design = CovariateDesign.fit(given)
    >>> [str(term) for term in design.terms]
    ['age', 'age: missing', 'tier: a']
    >>> design.encode(given.x)[:, 0].round(decimals=2).tolist()
    [-1.58, 1.58, 0.0, 0.0, 0.0]
    """

    schema: Schema
    terms: tuple[Term, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, data: Dataset) -> CovariateDesign:
        """Choose the terms by the covariates of training.

        Raises:
            InputError: for a column that does not vary in these rows or has too many levels, or
                columns that follow from others.
        """
        assert data.schema is not None
        x = data.x.double()
        terms = [
            term
            for place, column in enumerate(data.schema.columns)
            for term in _terms(column, x[:, place])
        ]
        bare = cls(data.schema, tuple(terms), (0.0,) * len(terms), (1.0,) * len(terms))
        raw = bare._raw(x)
        # Cells that are missing in the same rows say the same.
        said = [raw[:, i].tolist() if t.gap else i for i, t in enumerate(terms)]
        kept = [i for i, values in enumerate(said) if values not in said[:i]]
        raw = raw[:, kept]
        shift = raw.nanmean(0)
        filled = torch.where(raw.isnan(), shift, raw)
        scale = (filled - shift).square().mean(0).sqrt()
        flat = scale <= SAME * shift.abs().clamp(min=1e-300)
        if flat.any():
            name = cut(str(terms[kept[int(flat.long().argmax())]]))
            raise InputError(
                f"the covariate {name} does not vary in the training rows: leave it out"
            )
        refuse_dependent(((filled - shift) / scale).numpy(force=True))
        chosen = tuple(terms[i] for i in kept)
        return cls(data.schema, chosen, tuple(shift.tolist()), tuple(scale.tolist()))

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the covariates."""
        return self.schema.shown_names

    def encode(self, x: Shaped[Tensor, "N Q"]) -> Float64[Tensor, "N P"]:
        """Compute w of rows that conform; a missing cell counts as the mean."""
        raw = self._raw(x.double())
        return ((raw - raw.new_tensor(self.shift)) / raw.new_tensor(self.scale)).nan_to_num(nan=0.0)

    def conform(self, data: Dataset) -> Dataset:
        """Find the columns of training in those of other rows, by their names.

        Warns:
            DataWarning: for levels that training did not have, which count as missing.

        Raises:
            InputError: if a column is missing, or its cells are not as in training.
        """
        return conform_columns(data, self.schema, takes_gaps=False)

    @property
    def to_user(self) -> Float[np.ndarray, "Q Q"]:
        """Return the matrix ``(1 + P, 1 + P)`` that takes coefficients to the user's units.

        The constant comes first.
        """
        return units_matrix(np.array([0.0, *self.shift]), np.array([1.0, *self.scale]))

    def to_config(self) -> dict[str, Any]:
        """Return plain JSON values."""
        own = {"shift": list(self.shift), "scale": list(self.scale)}
        return {
            "columns": self.schema.to_config(),
            "terms": [asdict(term) for term in self.terms],
            **own,
        }

    @classmethod
    def from_config(cls, stored: Any) -> CovariateDesign:
        """Rebuild what `to_config` gave, from JSON.

        Raises:
            InputError: if it is not what this version writes.
        """
        try:
            parts = typed(dict[str, Any], stored, "covariates")
            if parts.keys() != {"columns", "terms", "shift", "scale"}:
                raise DamagedError("covariates lack an entry, or have another one")
            schema = Schema.from_config(parts["columns"])
            terms = typed(tuple[Term, ...], parts["terms"], "terms")
            shift, scale = (
                typed(tuple[float, ...], parts[name], name) for name in ("shift", "scale")
            )
            numbers = all(map(isfinite, (*shift, *scale))) and all(s > 0 for s in scale)
            if not (len(terms) == len(shift) == len(scale) > 0 and numbers):
                raise DamagedError("the covariates' terms and their scales do not fit together")
            made = cls(schema, terms, shift, scale)
            made._raw(torch.zeros(0, len(schema)))
            return made
        except (DamagedError, KeyError, ValueError) as error:
            raise InputError(
                f"The stored covariates are damaged ({error}): train again."
            ) from error

    def _raw(self, x: Tensor) -> Tensor:
        """Compute the terms in the user's units, NaN where a cell is missing."""
        return torch.stack([self._term(term, x) for term in self.terms], 1)

    def _term(self, term: Term, x: Tensor) -> Tensor:
        place = self.names.index(str(term.covariate))
        column, cells = self.schema.columns[place], x[:, place]
        if term.gap:
            return cells.isnan().to(x.dtype)
        if term.level is None:
            return cells / DAYS if column.cells == "date" else cells
        own = {t.level for t in self.terms if t.covariate == term.covariate} | {term.base}
        seen = torch.stack([cells == _code(column, level) for level in own if level is not None])
        return torch.where(seen.any(0), (cells == _code(column, term.level)).to(x.dtype), torch.nan)


def _terms(column: Column, cells: Tensor) -> Sequence[Term]:
    """Name the terms of a column: those of its levels in these rows, the most frequent left out."""
    name = str(column.name)
    gaps = [Term(name, gap=True)] if cells.isnan().any() else []
    if not column.has_levels:
        return [Term(name), *gaps]
    counts = [int((cells == _code(column, level)).sum()) for level in column.level_names]
    seen = [level for level, n in zip(column.level_names, counts, strict=True) if n]
    if len(seen) > MOST_LEVELS:
        raise InputError(
            f"the covariate {cut(name)} has {len(seen)} levels: group them into at most "
            f"{MOST_LEVELS}"
        )
    base = column.level_names[int(np.argmax(counts))]
    return [*(Term(name, level, base) for level in seen if level != base), *gaps]


def _code(column: Column, level: str) -> float:
    """Return the number that stands for a level in raw units."""
    place = column.level_names.index(level)
    return float(column.levels[place]) if column.cells == "number" else float(place)
