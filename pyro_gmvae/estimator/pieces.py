"""Offer training by pieces: a call goes on with new rows, beside a sample of the earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.data.weights import weights_of_rows
from pyro_gmvae.errors import InputError
from pyro_gmvae.estimator.given_rows import read_rows
from pyro_gmvae.estimator.parameters import check_goes_on, settings_of_parameters
from pyro_gmvae.estimator.room import Room
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.heads import cluster_head, n_statistics
from pyro_gmvae.fitting.starts.registry import CONTINUED, RETAUGHT
from pyro_gmvae.process.alone import alone

if TYPE_CHECKING:
    from typing import Self

__all__ = ["REPLAYED_ROWS", "EarlierRows", "PiecesMixin"]

REPLAYED_ROWS = 20_000  # earlier rows that are kept, at most


@dataclass(frozen=True, eq=False)
class EarlierRows:
    """Keep a uniform sample of all rows so far (a reservoir), with what they weigh.

    Every row gets a random key when it comes, and the rows of the least keys are kept.

    Attributes:
        x: ``(n, *event)`` raw rows.
        weights: ``(n,)`` the weight of each row, as it came.
        keys: ``(n,)`` random numbers, all below those of the rows that were not kept.
        n_seen: the number of all rows so far.

    >>> rows = EarlierRows.of(torch.zeros(5, 2), None, seed=0, most=4)
    >>> len(rows.x), rows.share, rows.with_rows(torch.ones(4, 2), None, seed=0, most=4).n_seen
    (4, 0.8, 9)
    """

    x: Shaped[Tensor, "n *event"]
    weights: Float64[Tensor, " n"]
    keys: Float64[Tensor, " n"]
    n_seen: int

    @classmethod
    def of(
        cls,
        x: Shaped[Tensor, "N *event"],
        weights: Float64[Tensor, " N"] | None,
        *,
        seed: int,
        most: int = REPLAYED_ROWS,
    ) -> EarlierRows:
        """Sample the first rows."""
        none = torch.zeros(0, dtype=torch.float64)
        return cls(x[:0], none, none, 0).with_rows(x, weights, seed=seed, most=most)

    @classmethod
    def drawn(
        cls, fitted: FittedModel, n_seen: int, like: Tensor, *, seed: int, most: int = REPLAYED_ROWS
    ) -> EarlierRows:
        """Let draws of a model stand for the ``n_seen`` rows of its training, which are gone.

        Args:
            fitted: the model.
            n_seen: the number of rows.
            like: raw rows, whose type the draws take.
            seed: the seed of the draws and the keys.
            most: draws, at most.
        """
        x, _ = fitted.sample(min(n_seen, most), seed=seed)
        rows = cls.of(_typed_like(x, like), None, seed=seed, most=most)
        return replace(rows, n_seen=n_seen)

    @property
    def share(self) -> float:
        """Return the share of all rows that is kept."""
        return len(self.x) / self.n_seen

    def with_rows(
        self,
        x: Shaped[Tensor, "N *event"],
        weights: Float64[Tensor, " N"] | None,
        *,
        seed: int,
        most: int = REPLAYED_ROWS,
    ) -> EarlierRows:
        """Return a sample of these rows and more; the draw depends on the seed and `n_seen`."""
        generator = torch.Generator().manual_seed((seed + self.n_seen) % 2**63)
        keys = torch.rand(len(x), generator=generator, dtype=torch.float64)
        new = torch.ones(len(x), dtype=torch.float64) if weights is None else weights
        every = torch.cat([self.keys, keys])
        kept = every.argsort()[:most].sort().values
        return EarlierRows(
            torch.cat([self.x, x])[kept],
            torch.cat([self.weights, new])[kept],
            every[kept],
            self.n_seen + len(x),
        )

    def beside(self, piece: Dataset) -> Dataset:
        """Join a piece and the earlier rows, which stand for all rows so far by their weights."""
        new = (
            torch.ones(len(piece), dtype=torch.float64) if piece.weights is None else piece.weights
        )
        weights = torch.cat([self.weights / self.share, new])
        return replace(
            piece,
            x=torch.cat([self.x, piece.x]),
            weights=None if bool((weights == weights[0]).all()) else weights,
        )


def _typed_like(x: Tensor, like: Tensor) -> Tensor:
    """Bring rows to the type of others; pixels are whole numbers from 0 to 255."""
    if like.dtype == torch.uint8:
        x = x.round().clamp(0, 255)
    return x.to(like.dtype)


class PiecesMixin(Room):
    """Add `partial_fit` to an estimator that holds a `FittedModel`.

    >>> from sklearn.datasets import make_blobs
    >>> from pyro_gmvae import GMVAE
    >>> X, _ = make_blobs(90, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> model = GMVAE(3, max_iter=30, random_state=0)
    >>> for piece in (X[:45], X[45:]):
    ...     model = model.partial_fit(piece)
    >>> sorted(int((model.predict(X) == k).sum()) for k in range(3))
    [30, 30, 30]
    """

    labels_: Any
    _earlier: EarlierRows

    if TYPE_CHECKING:

        def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self: ...  # noqa: N803

        def get_params(self) -> dict[str, Any]: ...

        @property
        def _device(self) -> str: ...

        def _splits(self, data: Dataset, settings: Settings) -> Splits: ...

        def _train(self, planned: Plan) -> None: ...

        def _label(self, data: Dataset) -> None: ...

    @alone
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train on a piece of the data; the first call is a `fit`, and further ones go on.

        The first piece decides what columns mean, the scale and the sizes of the model, so it
        should be like the later ones. Up to 20,000 of the earlier rows, a uniform sample, are kept
        in the estimator and trained on beside each new piece. They weigh as much as all that they
        stand for, so that the step which a piece makes is the smaller, the more rows there were.
        Clusters keep their numbers. `fit` keeps no rows: after it draws of the model take their
        place.

        Where clusters have laws of their own, as in most tables, expectation maximisation goes on
        from the clusters so far over the new and the earlier rows, and then comes a training like
        that of `fit`. A start that begins anew takes its place if it is clearly better; then each
        cluster gets the number of the one it shares most rows with. Other models go on from their
        weights. The learning rate and the epochs are multiplied by the share of the new rows among
        all.

        Args:
            X: rows like those of the first piece, one or more.
            y: not used.
            sample_weight: as in `fit`.

        Raises:
            ValueError: as `fit`; for other columns than in the first piece, and for a saved run,
                which does not tell how many rows it stands for (`InputError` is one).

        >>> import numpy as np
        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0)
        >>> for piece in (X[::2], X[1::2]):
        ...     gmvae = gmvae.partial_fit(piece)
        >>> np.bincount(gmvae.predict(X)).tolist()
        [30, 30]
        """
        settings = settings_of_parameters(self.get_params())
        seed = settings.training.seed
        if not hasattr(self, "fitted_"):
            self.fit(X, sample_weight=sample_weight)
            data = _weighted(self._ready(X)[0], sample_weight)
            self._earlier = EarlierRows.of(data.x, data.weights, seed=seed)
            return self
        check_goes_on(settings, self.fitted_.gmvae)
        if self.fitted_.covariates is not None:
            raise InputError(
                "pieces take no covariates, and this model has some: fit a new model on all rows"
            )
        data = _weighted(self.fitted_.conform(read_rows(self, X)[0]), sample_weight)
        earlier = self._earlier_rows(data.x, seed)
        growth = len(data) / (earlier.n_seen + len(data))
        self._train(self._plan_piece(settings, earlier.beside(data), growth))
        self._earlier = earlier.with_rows(data.x, data.weights, seed=seed)
        self._label(data)
        return self

    def _earlier_rows(self, like: Tensor, seed: int) -> EarlierRows:
        """Return the earlier rows, or draws of a model of `fit`, which has kept none."""
        if hasattr(self, "_earlier"):
            return self._earlier
        if not hasattr(self, "labels_"):
            raise InputError(
                "a saved run does not tell how many rows it stands for, so that a piece cannot be "
                "weighed against them: fit, or call partial_fit from the first piece on"
            )
        return EarlierRows.drawn(self.fitted_, len(self.labels_), like, seed=seed)

    def _plan_piece(self, settings: Settings, data: Dataset, growth: float) -> Plan:
        """Plan the training on a piece beside earlier rows; the piece is a share of all rows."""
        before, splits = self.fitted_, self._splits(data, settings)
        clusters = before.to(self._device).responsibilities(splits.train.x)
        planned = plan(settings, splits, clusters=clusters, before=before)
        planned = replace(planned, keeps_numbers=True)
        if before.gmvae.options["table"] is not None:
            name = CONTINUED if _knows_laws(before) else RETAUGHT
            return replace(planned, start=replace(planned.start, name=name))
        config = planned.config
        slower = replace(
            config,
            learning_rate=growth * config.learning_rate,
            epochs=ceil(growth * config.epochs),
        )
        return replace(planned, config=slower)


def _knows_laws(fitted: FittedModel) -> bool:
    """Return True if q(y|x) goes by the laws of the clusters, and False if it was taught them."""
    weight = cluster_head(fitted.gmvae).weight
    return bool(weight[:, : n_statistics(fitted.gmvae)].any())


def _weighted(data: Dataset, sample_weight: Any) -> Dataset:
    if sample_weight is None:
        return data
    return replace(data, weights=weights_of_rows(sample_weight, len(data)))
