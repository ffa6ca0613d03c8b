"""Turn covariates into the columns of a regression, and its coefficients into the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pyro_gmvae.data.covariates import DAYS, SAME, Term, refuse_dependent, units_matrix
from pyro_gmvae.errors import InputError
from pyro_gmvae.segments.outcomes.columns import OutcomeColumn
from pyro_gmvae.stored import cut

__all__ = ["Design", "Term"]


@dataclass(frozen=True, eq=False)
class Design:
    """Hold the P columns of a regression, the constant first.

    Attributes:
        terms: what each column is.
        standard: ``(N, P)`` the columns with mean 0 and variance 1, but for the constant.
        shift: ``(P,)`` the means in the user's units; dates in years since 1970.
        scale: ``(P,)`` the standard deviations.

    >>> known = np.ones(4, dtype=bool)
    >>> years = np.array([[20.0], [30.0], [40.0], [50.0]])
    >>> age = OutcomeColumn("age", "mean", ("age",), years, known)
    >>> design = Design.of([age], known, np.ones(4))
    >>> [str(term) for term in design.terms], design.shift.tolist()
    (['constant', 'age'], [0.0, 35.0])
    """

    terms: tuple[Term, ...]
    standard: Float[np.ndarray, "N P"]
    shift: Float[np.ndarray, " P"]
    scale: Float[np.ndarray, " P"]

    @classmethod
    def of(
        cls,
        columns: Sequence[OutcomeColumn],
        rows: Bool[np.ndarray, " all"],
        weights: Float[np.ndarray, " N"],
    ) -> Design:
        """Lay covariates out.

        Args:
            columns: the covariates.
            rows: which rows are used.
            weights: how much each of these counts.

        Raises:
            InputError: if a column does not vary in these rows, or follows from the others.
        """
        terms, parts = [Term(None)], [np.ones((int(rows.sum()), 1))]
        for column in columns:
            z = column.z[rows]
            if column.kind == "share":
                base = int((weights @ z).argmax())
                others = [i for i in range(z.shape[1]) if i != base and z[:, i].any()]
                if not others:
                    raise _constant(column.name)
                named = column.levels
                terms += [Term(column.name, named[i], named[base]) for i in others]
                parts.append(z[:, others])
            else:
                terms.append(Term(column.name))
                parts.append(z / DAYS if column.kind == "date" else z)
        x = np.hstack(parts)
        share = weights / weights.sum()
        shift = share @ x
        scale = np.sqrt(share @ (x - shift) ** 2)
        shift[0], scale[0] = 0.0, 1.0
        flat = scale <= SAME * np.maximum(np.abs(shift), 1e-300)
        if flat.any():
            raise _constant(str(terms[int(flat.argmax())]))
        standard = (x - shift) / scale
        refuse_dependent(standard * np.sqrt(share)[:, None])
        return cls(tuple(terms), standard, shift, scale)

    @property
    def to_user(self) -> Float[np.ndarray, "P P"]:
        """Return the matrix that takes coefficients to the user's units."""
        return units_matrix(self.shift, self.scale)

    def in_user_units(self, parameters: Float[np.ndarray, " Q"]) -> Float[np.ndarray, "others P"]:
        """Return the coefficients of each segment but the reference."""
        return parameters.reshape(-1, len(self.terms)) @ self.to_user.T

    def covariance_in_user_units(
        self, covariance: Float[np.ndarray, "Q Q"]
    ) -> Float[np.ndarray, "Q Q"]:
        """Return the covariance of these coefficients, segment by segment."""
        each = np.kron(np.eye(len(covariance) // len(self.terms)), self.to_user)
        return each @ covariance @ each.T


def _constant(name: str) -> InputError:
    return InputError(f"{cut(name)} does not vary where all covariates are known: leave it out")
