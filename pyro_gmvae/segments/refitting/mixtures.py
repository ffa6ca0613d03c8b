"""Fit the mixture that a model of a table begins at, from the responsibilities that it ended with.

A model of numbers begins at Gaussians, one of mixed columns at per-column laws. Both are fitted by
expectation maximisation in a fraction of the time of a training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows, mixture_of
from pyro_gmvae.fitting.starts.gaussians import (
    GaussianRows,
    Gaussians,
    Shape,
    expectation_maximization,
)
from pyro_gmvae.fitting.starts.membership import Joined, MembershipRows, join
from pyro_gmvae.fitting.starts.mixture_fit import refine_mixture
from pyro_gmvae.likelihoods import Table

__all__ = ["ColumnFits", "CovariateFits", "GaussianFits", "MixtureFits", "mixtures_for"]

CHUNK = 2**14  # rows whose terms are held at a time
GAIN = 1e-6  # nats a row by which a round must raise a fit that goes on
# Covariances that a model begins at; full ones of small clusters may collapse on a few rows.
SHAPES: tuple[Shape, ...] = ("shrunk", "tied", "diagonal")


@runtime_checkable
class MixtureFits(Protocol):
    """Fit mixtures to some rows, and give their responsibilities or those of all rows.

    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> x, q = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.eye(2)[[0, 0, 1, 1]]
    >>> fits = ColumnFits(x, TableRows.of(x, TableStructure(("real",))), uniform=False)
    >>> counts = torch.ones(3, 4, dtype=torch.float64)  # three fits, each row once
    >>> [found.argmax(-1).tolist() for found in fits(q, 10, counts)]
    [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    """

    def __call__(
        self, begun: Float[Tensor, "m K"], rounds: int, counts: Float[Tensor, "T m"] | None = None
    ) -> Iterator[Float[Tensor, "_ K"]]:
        """Yield p(y|x), or p(y|x,w).

        Args:
            begun: the responsibilities of the m rows that the fits begin with.
            rounds: of each fit, at most.
            counts: how often each of them counts in each of T fits, of which the responsibilities
                of the m rows are given. None is one fit, of which those of all rows are.
        """


@dataclass(frozen=True, eq=False)
class GaussianFits:
    """Fit Gaussians whose covariances have a given shape.

    Attributes:
        every: all N rows on model scale, ``(N, R)``.
        fitted: the m that the fits are made by.
        shape: of the covariances.
        uniform: whether all clusters are equally likely.

    >>> x, q = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.eye(2)[[0, 0, 1, 1]]
    >>> fits = GaussianFits.of(x, GaussianRows.of(x), q, False, 10)
    >>> (found,) = fits(q, 10)
    >>> found.argmax(-1).tolist()
    [0, 0, 1, 1]
    """

    every: Tensor
    fitted: GaussianRows
    shape: Shape
    uniform: bool

    @classmethod
    def of(
        cls,
        every: Float[Tensor, "N R"],
        fitted: GaussianRows,
        begun: Float[Tensor, "m K"],
        uniform: bool,
        rounds: int,
    ) -> GaussianFits:
        """Choose the shape by the Bayesian information criterion of Schwarz (1978)."""
        k, r = begun.shape[1], every.shape[1]
        pairs = r * (r + 1) // 2
        free = {"shrunk": k * pairs, "tied": pairs, "diagonal": k * r}

        def criterion(shape: Shape) -> float:
            _, value = expectation_maximization(
                fitted, begun[None], shape, rounds=rounds, least_gain=GAIN, uniform=uniform
            )
            n = len(fitted)
            return n * float(value) - free[shape] * log(n) / 2

        return cls(every, fitted, max(SHAPES, key=criterion), uniform)

    def __call__(
        self, begun: Float[Tensor, "m K"], rounds: int, counts: Float[Tensor, "T m"] | None = None
    ) -> Iterator[Float[Tensor, "_ K"]]:
        """Yield the responsibilities under each fit."""
        times = 1 if counts is None else len(counts)
        fits, _ = expectation_maximization(
            self.fitted,
            begun.expand(times, *begun.shape),
            self.shape,
            rounds=rounds,
            least_gain=GAIN,
            weights=None if counts is None else counts * self.fitted.weights,
            uniform=self.uniform,
        )
        if counts is None:
            # The terms of all rows at once would take many times the memory of the rows.
            parts = (GaussianRows.of(part) for part in self.every.split(CHUNK))
            yield torch.cat([fits[0].log_joint(part).softmax(-1) for part in parts])
            return
        for place in range(times):
            yield fits[place].log_joint(self.fitted).softmax(-1)

    def log_p_x(
        self, r: Float[Tensor, "m K"], weights: Float[Tensor, " m"], *, of_all: bool = False
    ) -> Float[Tensor, "_ K"]:
        """Fit the Gaussians by responsibilities; give log p(x|y) of the m rows or of all."""
        own = Gaussians.of(self.fitted, r, self.shape, weights=weights)
        if not of_all:
            return own.log_p_x(self.fitted)
        parts = (GaussianRows.of(part) for part in self.every.split(CHUNK))
        return torch.cat([own.log_p_x(part) for part in parts])


@dataclass(frozen=True, eq=False)
class ColumnFits:
    """Fit laws of columns that are independent within a cluster; gaps are summed out.

    Attributes:
        every: all N rows on model scale, ``(N, D)``.
        fitted: the m that the fits are made by.
        uniform: whether all clusters are equally likely.

    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> x, q = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.eye(2)[[0, 0, 1, 1]]
    >>> fits = ColumnFits(x, TableRows.of(x, TableStructure(("real",))), uniform=False)
    >>> (found,) = fits(q, 10)
    >>> found.argmax(-1).tolist()
    [0, 0, 1, 1]
    """

    every: Tensor
    fitted: TableRows
    uniform: bool

    def __call__(
        self, begun: Float[Tensor, "m K"], rounds: int, counts: Float[Tensor, "T m"] | None = None
    ) -> Iterator[Float[Tensor, "_ K"]]:
        """Yield the responsibilities under each fit."""
        if counts is None:
            found, structure = self._fit(self.fitted, begun, rounds), self.fitted.structure
            parts = (TableRows.of(part, structure) for part in self.every.split(CHUNK))
            yield torch.cat([found.log_joint(part).softmax(-1) for part in parts])
            return
        for weights in counts * self.fitted.weights:
            rows = self.fitted.weighted(weights)
            yield self._fit(rows, begun, rounds).log_joint(self.fitted).softmax(-1)

    def log_p_x(
        self, r: Float[Tensor, "m K"], weights: Float[Tensor, " m"], *, of_all: bool = False
    ) -> Float[Tensor, "_ K"]:
        """Fit the laws by responsibilities; give log p(x|y) of the m rows or of all."""
        own = mixture_of(self.fitted.weighted(weights), r)
        if not of_all:
            return own.log_p_x(self.fitted)
        parts = (TableRows.of(part, self.fitted.structure) for part in self.every.split(CHUNK))
        return torch.cat([own.log_p_x(part) for part in parts])

    def _fit(self, rows: TableRows, r: Float[Tensor, "m K"], rounds: int) -> ColumnMixture:
        return refine_mixture(rows, r, uniform=self.uniform, rounds=rounds)


@dataclass(frozen=True, eq=False)
class CovariateFits:
    """Fit laws of clusters together with p(y|w).

    Attributes:
        laws: fits the laws.
        every: the covariates of all N rows.
        fitted: those of the m rows that the fits are made by.

    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> x, q = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.eye(2)[[0, 0, 1, 1]]
    >>> laws = ColumnFits(x, TableRows.of(x, TableStructure(("real",))), uniform=False)
    >>> w = MembershipRows.of(torch.tensor([[-1.0], [1.0], [-1.0], [1.0]]))
    >>> (found,) = CovariateFits(laws, w, w)(q, 10)
    >>> found.argmax(-1).tolist()
    [0, 0, 1, 1]
    """

    laws: GaussianFits | ColumnFits
    every: MembershipRows
    fitted: MembershipRows

    def __call__(
        self, begun: Float[Tensor, "m K"], rounds: int, counts: Float[Tensor, "T m"] | None = None
    ) -> Iterator[Float[Tensor, "_ K"]]:
        """Yield the responsibilities under each fit."""
        own = self.fitted.weights
        if counts is None:
            found = self._join(begun, rounds, own)
            log_p_x = self.laws.log_p_x(found.responsibilities, own, of_all=True)
            yield (log_p_x + self.every.log_p(found.coefficients)).softmax(-1)
            return
        for weights in counts * own:
            yield self._join(begun, rounds, weights).responsibilities

    def _join(self, begun: Tensor, rounds: int, weights: Tensor) -> Joined:
        return join(
            self.fitted.weighted(weights),
            begun,
            lambda r: self.laws.log_p_x(r, weights),
            rounds=rounds,
            least_gain=GAIN,
        )


def mixtures_for(
    fitted: FittedModel,
    x: Shaped[Tensor, "N *event"],
    q: Float[Tensor, "N K"],
    rows: Int64[Tensor, " m"],
    weights: Float[Tensor, " N"],
    rounds: int,
    w: Shaped[Tensor, "N Q"] | None = None,
) -> MixtureFits | None:
    """Choose the mixtures that a model begins at; None for one that begins at none.

    Args:
        fitted: the model.
        x: raw rows.
        q: their responsibilities.
        rows: the places of those that the fits are made by.
        weights: how much each row counts.
        rounds: of the fits that choose a shape, at most.
        w: the rows' covariates, of a model that has some.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x, q = torch.arange(8.0, dtype=torch.float64).view(4, 2), torch.eye(2)[[0, 0, 1, 1]]
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> mixtures_for(fitted, x, q, torch.arange(4), torch.ones(4), 10) is None  # it begins at none
    True
    """
    model = fitted.gmvae.model
    if not isinstance(model.likelihood, Table):
        return None
    structure = model.likelihood.structure
    uniform = not isinstance(model.mixture_logits, nn.Parameter)
    like = model.component_loc
    encoded = fitted.encoding.encode_mean(x.to(like.device)).to(like.dtype)
    fits: GaussianFits | ColumnFits
    if structure.correlated:
        own = GaussianRows.of(encoded[rows], weights[rows], structure.all_floors)
        fits = GaussianFits.of(encoded, own, q[rows], uniform, rounds)
    else:
        laws = TableRows.of(encoded[rows], structure, weights[rows])
        fits = ColumnFits(encoded, laws, uniform)
    for covariates in fitted.given(w):
        every = MembershipRows.of(covariates, weights)
        return CovariateFits(fits, every, every.take(rows))
    return fits
