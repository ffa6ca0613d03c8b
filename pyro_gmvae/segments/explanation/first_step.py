"""Count in traits that the segments themselves were estimated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from pyro_gmvae.data import Dataset
from pyro_gmvae.data.schema import Column
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments.explanation.looks import Look, Pairs, looks_at
from pyro_gmvae.segments.refitting.refit import FirstStep, Refit, refit_segments

__all__ = ["Refitted", "SharedMemberships", "refitted"]

# A report is written by default, so that it takes fewer resamples than outcomes do.
RESAMPLES, MANY_ROWS, FEWER = 30, 5_000, 15
SURE = 0.02  # expected share of rows in another segment, below which other fits change nothing


@dataclass(frozen=True, eq=False)
class SharedMemberships:
    """Hold responsibilities of N rows by M fits, which share each row out among the clusters.

    Attributes:
        shares: ``(M, N, K)``.

    >>> q = np.array([[[0.5, 0.5], [0.0, 1.0]]])
    >>> SharedMemberships(q).sums(np.array([[2.0], [10.0]]))[..., 0]
    array([[ 1., 11.]])
    """

    shares: Float[np.ndarray, "M N K"]

    @cached_property
    def _flat(self) -> Float[np.ndarray, "groups N"]:
        return self.shares.transpose(0, 2, 1).reshape(-1, self.shares.shape[1])

    def sums(self, features: Any) -> Float[np.ndarray, "M K F"]:
        """Sum features ``(N, F)``, dense or sparse, over the rows of each cluster."""
        made = np.asarray(self._flat @ features)
        return made.reshape(self.shares.shape[0], self.shares.shape[2], -1)


@dataclass(frozen=True, eq=False)
class Refitted:
    """Hold segments that were fitted on, and to resamples, for the variance of traits.

    Attributes:
        responsibilities: of the fit that went on from the model, ``(N, K)``.
        rows: the places of the m rows that the fits were made by.
        fits: the responsibilities of these rows: of that fit, and of each resample.
        summary: how much they differ.

    >>> column, cells = Column("age"), np.arange(20.0)
    >>> own = np.eye(2)[np.repeat([0, 1], 10)]
    >>> fits = SharedMemberships(np.stack([own, own]))  # a resample that gives the same segments
    >>> segments = Refitted(own, np.arange(20), fits, FirstStep(1, 0.0, 0.0))
    >>> segments.variances(column, cells, np.ones(20), [(1, None)])
    {('value', ('',)): array([[0.]])}
    """

    responsibilities: Float[np.ndarray, "N K"]
    rows: Int64[np.ndarray, " m"]
    fits: SharedMemberships
    summary: FirstStep

    @classmethod
    def of(cls, refit: Refit) -> Refitted:
        """Take the resamples that have kept every segment."""
        own = refit.responsibilities[refit.rows]
        fits = np.concatenate([own[None], refit.resampled[refit.keeping]])
        return cls(refit.responsibilities, refit.rows, SharedMemberships(fits), refit.summary)

    def variances(
        self, column: Column, cells: np.ndarray, mass: np.ndarray, pairs: Pairs
    ) -> dict[tuple[str, tuple[str, ...]], np.ndarray]:
        """Return the variance that the first step adds to each effect in a column.

        It is the mean square of what a resample's responsibilities change, as in outcomes. The key
        is the part of the column, and its levels.

        Args:
            column: the column.
            cells: ``(N,)`` in raw units.
            mass: ``(N,)`` the weights of the rows.
            pairs: the comparisons.
        """
        found = {}
        for look in looks_at(column, cells[self.rows], mass[self.rows], self.fits, pairs):
            own, *again = look.contrast.estimate
            with np.errstate(invalid="ignore"):
                squares = (np.stack(again) - own) ** 2
            known = np.isfinite(squares)
            total = np.where(known, squares, 0.0).sum(0)
            found[_key(look)] = total / np.maximum(known.sum(0), 1)
        return found

    def added(self, look: Look, found: dict[tuple[str, tuple[str, ...]], np.ndarray]) -> np.ndarray:
        """Return what `variances` found for the same look at all rows; 0 where it has none."""
        none = np.zeros(look.contrast.estimate.shape[1:])
        made = found.get(_key(look), none)
        return made if made.shape == none.shape else none


def refitted(
    fitted: FittedModel, data: Dataset, q: np.ndarray, *, seed: int = 0
) -> Refitted | None:
    """Fit the segments again, where that changes what is said of them.

    None where nearly all rows are sure of their segment, for a model that begins at no mixture, and
    where a fit that goes on leads to other segments: the traits are then those of the model.

    Args:
        fitted: the model.
        data: rows that conform to it.
        q: ``(N, K)`` their responsibilities.
        seed: fixes the resamples.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding, from_frame
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> import pandas
    >>> data = from_frame(pandas.DataFrame({"spend": [1.5, 2.5, 9.5]}))
    >>> gmvae = ExactGMVAE(1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> refitted(fitted, data, np.eye(2)[[0, 0, 1]]) is None  # all rows are sure
    True
    """
    if 1 - float(q.max(1).mean()) < SURE:
        return None
    resamples = RESAMPLES if len(q) <= MANY_ROWS else FEWER
    refit = refit_segments(fitted, data, resamples=resamples, seed=seed)
    if refit is None or not refit.summary.same or not refit.keeping.any():
        return None
    return Refitted.of(refit)


def _key(look: Look) -> tuple[str, tuple[str, ...]]:
    return look.part, look.levels
