"""Say how often rows are assigned to a segment that is not theirs, and undo it on average.

Notation, as in Vermunt (2010): X is the segment of a row, which is never seen, W the one that the
row is assigned to, and D[t, s] = p(W = s | X = t).
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError

__all__ = [
    "Assignment",
    "ClassificationError",
    "assigned",
    "bch_weights",
    "check_segments_differ",
    "classification_error",
]

Assignment = Literal["proportional", "modal"]
SINGULAR = 1e8  # condition number from which D cannot be inverted with any digit left
FEW = 5.0  # rows; figures of a segment that count as fewer come with a warning

Rows = Float[np.ndarray, "N K"]


@dataclass(frozen=True)
class ClassificationError:
    """Hold D, and what it says about all rows.

    Attributes:
        matrix: K rows of K probabilities: of being assigned to segment s, for rows of segment t.
        rate: the share of rows that are expected to be assigned to another segment than theirs.

    >>> classification_error(np.array([[0.9, 0.1], [0.2, 0.8]]), "modal").rate
    0.15
    """

    matrix: tuple[tuple[float, ...], ...]
    rate: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def assigned(q: Rows, assignment: Assignment) -> Rows:
    """Assign each row: wholly to its likeliest segment, or to all in proportion to ``q``.

    Args:
        q: responsibilities.
        assignment: ``"modal"`` or ``"proportional"``.

    Raises:
        InputError: for another word.

    >>> assigned(np.array([[0.9, 0.1]]), "modal")
    array([[1., 0.]])
    """
    if assignment not in get_args(Assignment):
        raise InputError(
            f"assignment is {assignment!r}: choose from {', '.join(get_args(Assignment))}"
        )
    return q if assignment == "proportional" else np.eye(q.shape[1])[q.argmax(1)]


def classification_error(
    q: Rows, assignment: Assignment, weights: Float[np.ndarray, " N"] | None = None
) -> ClassificationError:
    r"""Estimate D from responsibilities that are right on average.

    .. math:: D_{ts} = \sum_i w_i q_{it} a_{is} / \sum_i w_i q_{it}

    Args:
        q: responsibilities p(X = t | x_i); no segment may be empty.
        assignment: as in `assigned`, which gives a.
        weights: how much each row counts; None if all count alike.

    Source: Vermunt 2010, "Latent class modeling with covariates: two improved three-step
    approaches", Political Analysis 18, equation 6.

    >>> error = classification_error(np.array([[0.9, 0.1], [0.2, 0.8]]), "modal")
    >>> np.array(error.matrix).round(3)  # a row of segment 0 is assigned to it with p = 0.9 / 1.1
    array([[0.818, 0.182],
           [0.111, 0.889]])
    """
    weighted = q if weights is None else weights[:, None] * q
    joint = weighted.T @ assigned(q, assignment)
    matrix = joint / joint.sum(1, keepdims=True)
    rate = 1 - np.trace(joint) / joint.sum()
    return ClassificationError(tuple(map(tuple, matrix.tolist())), float(rate.round(12)))


def bch_weights(q: Rows, a: Rows, weights: Float[np.ndarray, " N"]) -> Rows:
    r"""Return b, by which :math:`\sum_i b_{it} z_i` is the mean of z in segment t.

    With N_t the expected size of segment t, :math:`b_{it} = w_i \sum_s a_{is} (D^{-1})_{st} / N_t`
    are the weights of Bolck, Croon and Hagenaars (2004), as Vermunt (2010) writes them for rows. In
    matrices they are (A'WQ)^-1 A'W: the regression of z on the responsibilities, with the
    assignments as instruments. It is that of least squares if the assignment is proportional.

    Args:
        q: responsibilities.
        a: assignments, of `assigned`.
        weights: how much each row counts.

    >>> q = np.array([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0]])
    >>> b = bch_weights(q, assigned(q, "modal"), np.ones(3))
    >>> (b.T @ q).round(12) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    instruments = weights[:, None] * a
    return np.linalg.solve(instruments.T @ q, instruments.T).T


def check_segments_differ(
    q: Rows, a: Rows, weights: Float[np.ndarray, " N"], names: tuple[int, ...], column: str
) -> None:
    """Refuse segments that no row tells apart, and warn of those that few rows tell apart.

    Args:
        q: responsibilities for the rows where the column is known.
        a: their assignments.
        weights: how much each row counts.
        names: the numbers of the K segments.
        column: the name of the column in messages.

    Raises:
        InputError: if D cannot be inverted.

    Warns:
        DataWarning: if the corrected figures of a segment are as uncertain as those of fewer than
            5 rows.

    >>> q = np.full((9, 2), 0.5)
    >>> check_segments_differ(q, q, np.ones(9), (0, 1), "churn")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: no row where churn is known tells segment 0 from segment 1, ...
    """
    joint = (weights[:, None] * q).T @ a
    matrix = joint / joint.sum(1, keepdims=True)
    _, sizes, directions = np.linalg.svd(matrix)
    if sizes[-1] * SINGULAR < sizes[0]:
        blurred = [names[t] for t in np.argsort(-np.abs(directions[-1]))[:2]]
        raise InputError(
            f"no row where {column} is known tells segment {min(blurred)} from segment "
            f"{max(blurred)}, so their figures cannot be corrected: use fewer clusters, or modal "
            "assignment"
        )
    effective = 1 / (bch_weights(q, a, weights) ** 2).sum(0)
    few = [str(name) for name, n in zip(names, effective, strict=True) if n < FEW]
    if few:
        warnings.warn(
            f"few rows, or rows that are torn, tell of {column} in segment {', '.join(few)}: its "
            f"figures are as uncertain as those of fewer than {FEW:g} rows.",
            DataWarning,
            stacklevel=3,
        )
