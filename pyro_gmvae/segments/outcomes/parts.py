"""Choose the rows and the segments that a three-step correction is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.stored import cut

__all__ = ["Part", "refuse_clustered"]

SMALLEST = 1e-300  # that responsibilities are divided by
LEAST_ROWS = 2.0  # expected rows of a segment that has figures


def refuse_clustered(fitted: FittedModel, names: Iterable[str]) -> None:
    """Refuse columns that a model clusters by, for which the three-step corrections do not hold.

    Raises:
        InputError: naming the first.

    >>> import torch
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> refuse_clustered(FittedModel(gmvae.eval(), encoding), ["churn"])
    >>> refuse_clustered(FittedModel(gmvae.eval(), encoding), ["age"])
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: the model clusters by age, so that no correction...
    """
    clustered = set(fitted.encoding.feature_names or ())
    for name in names:
        if name in clustered:
            raise InputError(
                f"the model clusters by {cut(name)}, so that no correction for classification "
                "error holds: name other columns, or train with this one dropped"
            )


@dataclass(frozen=True, eq=False)
class Part:
    """Hold some rows, and the segments that have any of them.

    Attributes:
        rows: which of all rows they are.
        segments: the numbers of the segments.
        q: their responsibilities, which sum to 1 over these segments.
        weights: how much each counts.

    >>> q, known = np.eye(3)[[0, 0, 1, 1, 2]], np.array([True, True, True, True, False])
    >>> part = Part.of(q, np.ones(5), known, "churn")  # no row of segment 2 is known
    >>> part.segments, part.q.shape
    ((0, 1), (4, 2))
    """

    rows: Bool[np.ndarray, " N"]
    segments: tuple[int, ...]
    q: Float[np.ndarray, "n K"]
    weights: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, q: np.ndarray, weights: np.ndarray, rows: np.ndarray, name: str) -> Part:
        """Take the rows that count, and the segments that have two of them.

        Args:
            q: responsibilities of all rows.
            weights: how much each row counts.
            rows: those to choose from.
            name: what is known in them, in messages.

        Raises:
            InputError: if no segment has so many.
        """
        rows = rows & (weights > 0)
        used = weights[rows] @ q[rows] >= LEAST_ROWS
        if not used.any():
            raise InputError(
                f"{cut(name)} is known in too few rows: no segment has {LEAST_ROWS:g} of them"
            )
        rows = rows & (q[:, used].sum(1) > 0)
        segments = tuple(np.flatnonzero(used).tolist())
        return cls(rows, segments, _among(q[rows], segments), weights[rows])

    def of_segments(self, q: Float[np.ndarray, "n every"]) -> Float[np.ndarray, "n K"]:
        """Return other responsibilities among these segments, whose sum is 1.

        >>> q = np.eye(3)[[0, 0, 1, 1]]
        >>> part = Part.of(q, np.ones(4), np.ones(4, dtype=bool), "churn")
        >>> part.of_segments(np.array([[0.2, 0.3, 0.5]]))
        array([[0.4, 0.6]])
        """
        return _among(q, self.segments)


def _among(q: np.ndarray, segments: tuple[int, ...]) -> np.ndarray:
    own = q[:, segments]
    return own / np.maximum(own.sum(1, keepdims=True), SMALLEST)
