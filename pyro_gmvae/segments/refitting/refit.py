r"""Refit the segments to their rows, and to resamples of them.

A three-step correction takes the responsibilities as known and right on average. Those of a fitted
model are neither. A start may end before its fit has converged, so that they are biased; and with
other rows they would be others. Where segments overlap, this first step has more of the variance
than the outcome itself (Bakk, Oberski and Vermunt 2014). So the mixture behind the model is fitted
on until it converges, and again to bootstrap resamples of the rows, each begun at the former fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.process.alone import alone
from pyro_gmvae.ranges import MOST_TRAININGS, whole
from pyro_gmvae.segments.refitting.mixtures import MixtureFits, mixtures_for
from pyro_gmvae.segments.rows import responsibilities_of_rows

__all__ = ["RESAMPLES", "First", "FirstStep", "Refit", "first_step", "refit_by", "refit_segments"]

RESAMPLES = 50
MOST_ROWS = 10_000  # that mixtures are fitted to
ROUNDS, AGAIN = 500, 200  # of the fit that goes on, and of each resample's
LEAST_ROWS = 2.0  # expected rows of a segment that a resample has kept
LOST = 0.1  # share of the resamples
MOVED, SPREAD = 0.2, 0.15  # shares of the rows; see `FirstStep`


@dataclass(frozen=True)
class FirstStep:
    """Say how far the segments of a description are known, by fits to resampled rows.

    Both shares are means over rows of half the sum of the absolute differences of responsibilities.

    Attributes:
        resamples: the number of fits to resamples.
        moved: the share of the rows that the fit puts elsewhere when it goes on.
        spread: the share of the rows that a resample puts elsewhere, on average.
        lost: the number of resamples that leave a segment without rows.

    >>> FirstStep(50, 0.02, 0.03).trusted, FirstStep(50, 0.02, 0.3).trusted
    (True, False)
    """

    resamples: int
    moved: float
    spread: float
    lost: int = 0

    @property
    def same(self) -> bool:
        """Return True if the segments of the refit are still the model's."""
        return self.moved <= MOVED

    @property
    def trusted(self) -> bool:
        """Return False where simulations found intervals too narrow."""
        rarely = self.lost <= LOST * self.resamples
        return self.same and self.spread <= SPREAD and rarely

    def sentence(self) -> str:
        """Say what the intervals count, and where they are too narrow.

        >>> FirstStep(50, 0.3, 0.1).sentence()
        'The intervals take the model as it is, and are too narrow: a mixture that is fitted on ...'
        """
        if not self.same:
            return (
                "The intervals take the model as it is, and are too narrow: a mixture that is "
                f"fitted on to these rows puts {self.moved:.0%} of them elsewhere."
            )
        counted = (
            "The intervals count that the segments were estimated from these rows, by "
            f"{self.resamples} fits to resamples of them."
        )
        if self.trusted:
            return counted
        return (
            f"{counted} They may still be too narrow: a resample puts {self.spread:.0%} of the "
            "rows elsewhere, so that the rows hardly tell the segments apart."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"same": self.same, "trusted": self.trusted}


@dataclass(frozen=True, eq=False)
class Refit:
    """Hold segments that were fitted again.

    Attributes:
        responsibilities: of the fit that went on from the model, ``(N, K)``.
        rows: the places of m rows, ``(m,)``.
        resampled: their responsibilities by fits to R resamples of them, ``(R, m, K)``.
        summary: how much they differ.
        counts: how often each of the m rows is in each resample, ``(R, m)``; None if unknown.

    >>> q = np.eye(2)[[0, 0, 1, 1]]
    >>> refit = Refit(q, np.arange(4), np.stack([q, q]), FirstStep(2, 0.0, 0.0))
    >>> refit.moves(np.ones(4, dtype=bool), lambda rows, own: own.mean(0)).shape
    (2, 2)
    """

    responsibilities: Float[np.ndarray, "N K"]
    rows: Int64[np.ndarray, " m"]
    resampled: Float[np.ndarray, "R m K"]
    summary: FirstStep
    counts: Float[np.ndarray, "R m"] | None = None

    @cached_property
    def keeping(self) -> Bool[np.ndarray, " R"]:
        """Tell which resamples have rows in every segment that has any."""
        used = self.responsibilities[self.rows].sum(0) >= LEAST_ROWS
        return (self.resampled.sum(1)[:, used] >= LEAST_ROWS).all(1)

    def moves(
        self,
        counted: Bool[np.ndarray, " N"],
        figures: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> Float[np.ndarray, "R *figures"] | None:
        """Return what each resample changes in some figures.

        Resamples that lose a segment, which has no figures then, are left out; None if all do.

        Args:
            counted: which rows the figures are of.
            figures: gives them, by the places of rows and their responsibilities.

        Raises:
            InputError: for other rows than those of the refit.
        """
        if len(counted) != len(self.responsibilities):
            raise InputError(
                f"the segments were fitted again for {len(self.responsibilities)} rows, and these "
                f"are {len(counted)}: give the same rows"
            )
        own = counted[self.rows]
        rows = self.rows[own]
        before = figures(rows, self.responsibilities[rows])
        made = [figures(rows, q[own]) - before for q in self.resampled[self.keeping]]
        return np.stack(made) if made else None


@alone
def refit_segments(
    fitted: FittedModel, data: Dataset, *, resamples: int = RESAMPLES, seed: int = 0
) -> Refit | None:
    """Fit the segments of a table again; None for a model that begins at no mixture, as of images.

    Args:
        fitted: the model.
        data: rows that conform to it; they count by their weights. Mixtures are fitted to 10,000
            of them at most.
        resamples: R; 0 gives None.
        seed: fixes the resamples.

    Source: Bakk, Oberski and Vermunt 2014, "Relating latent class assignments to external
    variables: standard errors for correct inference", Political Analysis 22. They propagate the
    covariance of the first step's parameters; a bootstrap needs none, and shows its bias too.

    >>> from pyro_gmvae import GMVAE
    >>> x = np.random.default_rng(0).normal(size=(200, 2)) + 6 * np.repeat([[0], [1]], 100, 0)
    >>> fitted = GMVAE(2, max_iter=1, random_state=0).fit(x).fitted_
    >>> from pyro_gmvae.data import from_array
    >>> found = refit_segments(fitted, from_array(x), resamples=5)
    >>> found.resampled.shape, found.summary.trusted
    ((5, 200, 2), True)
    """
    resamples = whole("resamples", resamples, least=0, most=MOST_TRAININGS)
    if not resamples or fitted.gmvae.n_components < 2:
        return None
    own, weights = responsibilities_of_rows(fitted, data)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(own), generator=generator)[:MOST_ROWS].sort().values
    q = torch.from_numpy(own)
    # With mean 1 they have no unit, and a fit's few pseudo-rows stay few.
    counts_of_rows = torch.from_numpy(weights / weights.mean())
    fit = mixtures_for(fitted, data.x, q, rows, counts_of_rows, ROUNDS, data.w)
    if fit is None:
        return None
    return refit_by(fit, own, weights, rows, resamples, generator)


def refit_by(
    fit: MixtureFits,
    own: Float[np.ndarray, "N K"],
    weights: Float[np.ndarray, " N"],
    rows: Int64[Tensor, " m"],
    resamples: int,
    generator: torch.Generator,
) -> Refit:
    """Fit segments again by mixtures.

    Args:
        fit: the mixtures.
        own: the responsibilities that the fit goes on from.
        weights: how much each row counts.
        rows: the places of those that the mixtures are fitted to.
        resamples: R.
        generator: the source of the resamples.

    >>> from pyro_gmvae.fitting.starts.gaussians import GaussianRows
    >>> from pyro_gmvae.segments.refitting.mixtures import GaussianFits
    >>> x, q = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), np.eye(2)[[0, 0, 1, 1]]
    >>> fit = GaussianFits.of(x, GaussianRows.of(x), torch.from_numpy(q), False, 10)
    >>> generator = torch.Generator().manual_seed(0)
    >>> refit_by(fit, q, np.ones(4), torch.arange(4), 3, generator).summary.moved < 0.01
    True
    """
    m = len(rows)
    began = torch.from_numpy(own)[rows]
    (best,) = fit(began, ROUNDS)
    drawn = torch.randint(m, (resamples, m), generator=generator)
    counts = torch.zeros(resamples, m, dtype=torch.float64)
    counts.scatter_add_(1, drawn, torch.ones_like(counts))
    again = np.stack([each.numpy() for each in fit(best[rows], AGAIN, counts)])
    found, places = best.numpy(), rows.numpy()
    spread = np.mean([_apart(each, found[places], weights[places]) for each in again])
    summary = FirstStep(resamples, _apart(own, found, weights), float(spread))
    made = Refit(found, places, again, summary, counts.numpy())
    return replace(made, summary=replace(summary, lost=int((~made.keeping).sum())))


class First(NamedTuple):
    """Hold the first step of a three-step correction.

    Attributes:
        q: responsibilities, ``(N, K)``: those of the refit where the segments stay the model's.
        weights: how much each row counts, ``(N,)``.
        refit: the refit, where the segments stay the model's; else None.
        summary: how much the refit differs from the model; None if there is none.

    >>> first = First(np.eye(2)[[0, 1]], np.ones(2), refit=None, summary=None)
    >>> first.q.argmax(1).tolist()
    [0, 1]
    """

    q: Float[np.ndarray, "N K"]
    weights: Float[np.ndarray, " N"]
    refit: Refit | None
    summary: FirstStep | None


def first_step(fitted: FittedModel, data: Dataset, *, resamples: int, seed: int) -> First:
    """Give the responsibilities that a three-step correction of a fitted model takes.

    Args and errors: as `refit_segments`.

    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(16.0).reshape(8, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> first = first_step(fitted, data, resamples=5, seed=0)
    >>> first.q.shape, first.refit  # no mixture is behind this model
    ((8, 2), None)
    """
    q, weights = responsibilities_of_rows(fitted, data)
    refit = refit_segments(fitted, data, resamples=resamples, seed=seed)
    if refit is None or not refit.summary.same:
        return First(q, weights, None, None if refit is None else refit.summary)
    return First(refit.responsibilities, weights, refit, refit.summary)


def _apart(q: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ np.abs(q - other).sum(1) / weights.sum() / 2)
