"""Score rows that a model was not trained on, and make a calibration of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Shaped
from torch import Tensor

from pyro_gmvae.evaluation import Calibration, cell_log_p
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.likelihoods import Table

__all__ = ["MOST_HELD_OUT", "HeldOutScores", "known_cells", "score_held_out"]

MOST_HELD_OUT = 2_000  # with so many the rate on new rows varies by 0.5 points at a rate of 5 %


class HeldOutScores(NamedTuple):
    """Hold what a model says of rows that it was not trained on.

    Attributes:
        log_p: log p(x) of the known cells, in nats, in raw units, shape ``(n,)``.
        certainty: the probability of the likeliest cluster, shape ``(n,)``.
        cells: log p(x_j given z) of each cell, in nats, in raw units, 0 where it is missing, shape
            ``(n, D)``; ``(n, 0)`` for data without gaps.
        known: which cells are known, shape ``(n, D)``, or ``(n, 0)``.

    >>> log_p = torch.tensor([-3.0, -1.0], dtype=torch.float64)
    >>> cells, known = torch.zeros(2, 0, dtype=torch.float64), torch.zeros(2, 0, dtype=torch.bool)
    >>> scores = HeldOutScores(log_p, torch.tensor([0.9, 0.6]), cells, known)
    >>> HeldOutScores.joined([scores, scores]).certainty
    tensor([0.9000, 0.6000, 0.9000, 0.6000])
    >>> scores.calibration(num_samples=10).log_p.tolist()
    [-3.0, -1.0]
    """

    log_p: Float64[Tensor, " n"]
    certainty: Float[Tensor, " n"]
    cells: Float64[Tensor, "n D"]
    known: Bool[Tensor, "n D"]

    @classmethod
    def joined(cls, parts: Sequence[HeldOutScores]) -> HeldOutScores:
        """Join the scores of several groups of rows."""
        return cls(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    def calibration(
        self, num_samples: int, weights: Float64[Tensor, " n"] | None = None
    ) -> Calibration:
        """Return the calibration by these rows, of which equal shares are rejected later.

        Args:
            num_samples: importance samples behind each log p(x).
            weights: how much each row counts; the rows are then drawn anew in proportion, as
                training draws its rows. None if all count alike.
        """
        chosen = self
        if weights is not None:
            generator = torch.Generator().manual_seed(0)
            n = int((weights > 0).sum())
            rows = torch.multinomial(weights, n, replacement=True, generator=generator)
            chosen = HeldOutScores(*(part[rows] for part in self))
        cell_log_p = chosen.cells.sum(0) / chosen.known.sum(0).clamp(min=1)
        bare = Calibration(chosen.log_p, chosen.certainty, cell_log_p, num_samples)
        comparable = bare.comparable(chosen.log_p, chosen.known)
        # A row of density 0 is the most unlike one; a file holds finite numbers only.
        lowest = torch.finfo(comparable.dtype).min
        return Calibration(comparable.clamp(min=lowest), chosen.certainty, cell_log_p, num_samples)


def score_held_out(
    fitted: FittedModel,
    x: Shaped[Tensor, "n *event"],
    num_samples: int,
    w: Shaped[Tensor, "n Q"] | None = None,
) -> HeldOutScores:
    """Score rows that a model was not trained on.

    Args:
        fitted: the model.
        x: raw rows.
        num_samples: importance samples for each row.
        w: their covariates, of a model that has some.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(8.0, dtype=torch.float64).view(4, 2)
    >>> scores = score_held_out(FittedModel(gmvae.eval(), TableEncoding.standardize(x)), x, 10)
    >>> scores.log_p.shape, bool((scores.certainty >= 1 / 3).all())
    (torch.Size([4]), True)
    """
    figures = fitted.log_likelihood(x, w, num_samples=num_samples, diagnostics=False)
    certainty = fitted.responsibilities(x, w).max(-1).values
    return HeldOutScores(figures.log_p, certainty, _cells(fitted, x, w), known_cells(fitted, x))


def known_cells(fitted: FittedModel, x: Shaped[Tensor, "n *event"]) -> Bool[Tensor, "n D"]:
    """Return which cells are known; shape ``(n, 0)`` for a model that takes no gaps.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(8.0, dtype=torch.float64).view(4, 2)
    >>> known_cells(FittedModel(gmvae.eval(), TableEncoding.standardize(x)), x).shape
    torch.Size([4, 0])
    """
    return (~x.isnan()).cpu() if _takes_gaps(fitted) else torch.zeros(len(x), 0, dtype=torch.bool)


def _takes_gaps(fitted: FittedModel) -> bool:
    likelihood = fitted.gmvae.model.likelihood
    return isinstance(likelihood, Table) and not likelihood.structure.correlated


def _cells(fitted: FittedModel, x: Tensor, w: Tensor | None) -> Float64[Tensor, "n D"]:
    if not _takes_gaps(fitted):
        return torch.zeros(len(x), 0, dtype=torch.float64)
    encoding = fitted.encoding
    raw, scores = x.to(encoding.scale.device), torch.zeros(x.shape, dtype=torch.float64)
    each = cell_log_p(
        fitted.gmvae, x, covariates=fitted.given(w), transform=encoding.encode_mean
    ).double()
    # A column of the data may be several of the model's.
    mixed = getattr(encoding, "mixed", None)
    places = range(x.shape[1]) if mixed is None else mixed.places
    scores.index_add_(1, torch.tensor(list(places)), each)
    for column in range(x.shape[1]):
        # The volume of a row in which this cell alone is known.
        alone = torch.full_like(raw, torch.nan)
        alone[:, column] = raw[:, column]
        scores[:, column] += encoding.log_abs_det(alone).double().cpu()
    return scores
