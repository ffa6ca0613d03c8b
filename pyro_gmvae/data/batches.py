"""Batch data for a training: the protocol of all sources, and data that are on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.data.weights import systematic_counts

__all__ = ["Batch", "BatchSource", "ResidentBatches"]

Batch = tuple[Tensor, Tensor | None, *tuple[Tensor, ...]]  # x, labels, covariates
ALL = slice(None)


@runtime_checkable
class BatchSource(Protocol):
    """Define what training, starts and held-out evaluation need of data, wherever they are.

    Attributes:
        n_rows: number of rows.
        event_shape: shape of one row as it is stored.
        transform: brings stored rows to model scale, as training sees them; None if they are
            stored on it.
        generator: the only random state; when its state is restored, the following epochs are the
            same bit for bit.

    >>> isinstance(ResidentBatches(torch.zeros(5, 2), 2), BatchSource)
    True
    """

    n_rows: int
    event_shape: tuple[int, ...]
    transform: Callable[[Tensor], Tensor] | None
    generator: torch.Generator | None

    def __len__(self) -> int:
        """Count the steps of an epoch."""

    def size(self, step: int) -> int:
        """Count the rows of a step of an epoch, over all processes."""

    def epoch(self, skip: int = 0, share: slice = ALL) -> Iterator[Batch]:
        """Give an epoch's batches on model scale: ``(x, labels, *covariates)``.

        Args:
            skip: number of first steps to leave out; the others are as if those had been made.
            share: the rows of each batch that this process takes.
        """

    def sample(self, n: int) -> tuple[Tensor, *tuple[Tensor, ...]]:
        """Give ``n`` rows as stored, the same every time, or all of fewer: ``(x, *covariates)``."""


class ResidentBatches:
    """Batch data that fit on the device, in a new order every epoch.

    Rows are gathered on the device of ``x``, without a worker or a copy for each row.

    Args:
        x: ``(N, *event)``, on the device where batches are wanted.
        batch_size: rows in a batch; the last one may have fewer.
        labels: N rows, moved to the device of ``x``; without labels, batches hold None instead.
        covariates: further tensors of N rows, moved likewise.
        transform: applied to each batch of ``x``, such as an `Encoding`.
        shuffle: whether each epoch gets a fresh permutation.
        generator: on the CPU or on the device of ``x``; the global one of that device if None.
        drop_last: whether to leave out a last batch that is not full.
        weights: ``(N,)``, positive or zero. An epoch then draws N rows by systematic sampling: of
            a row with the weight w it has N w / sum(weights) copies, rounded down or up at random.
            Equal weights change nothing. Without ``shuffle`` the copies are the same in each epoch.

    Raises:
        ValueError: if ``batch_size`` is below 1, there would be no batch, or the labels, the
            weights or a covariate have another length.

    >>> batches = ResidentBatches(torch.arange(5.0), 2, shuffle=False)
    >>> [x.tolist() for x, labels in batches.epoch()]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    """

    def __init__(
        self,
        x: Shaped[Tensor, "rows *event"],
        batch_size: int,
        *,
        labels: Shaped[Tensor, "labels *each"] | None = None,
        covariates: Sequence[Tensor] = (),
        transform: Callable[[Tensor], Tensor] | None = None,
        shuffle: bool = True,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
        weights: Float[Tensor, "weights"] | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if len(x) < (batch_size if drop_last else 1):
            raise ValueError(
                f"{len(x)} rows give no batch of {batch_size}: give more rows, or a smaller "
                "batch_size"
            )
        if labels is not None and len(labels) != len(x):
            raise ValueError(f"{len(x)} rows but {len(labels)} labels: give one for each row")
        if weights is not None and len(weights) != len(x):
            raise ValueError(f"{len(x)} rows but {len(weights)} weights: give one for each row")
        if any(len(c) != len(x) for c in covariates):
            raise ValueError(
                f"{len(x)} rows but {[len(c) for c in covariates]} of the covariates: give each "
                "covariate one entry for each row"
            )
        self.x = x
        self.labels = None if labels is None else labels.to(x.device)
        self.covariates = [c.to(x.device) for c in covariates]
        self.batch_size = batch_size
        self.transform = transform
        self.shuffle = shuffle
        self.generator = generator
        self.drop_last = drop_last
        self.n_rows = len(x)
        self.event_shape = tuple(x.shape[1:])
        equal = weights is None or bool((weights == weights[0]).all())
        self.weights = None if equal else weights

    def __len__(self) -> int:
        whole, rest = divmod(self.n_rows, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch()

    def size(self, step: int) -> int:
        """Count the rows of a step of an epoch; see `BatchSource`."""
        return min(self.batch_size, self.n_rows - step * self.batch_size)

    def epoch(self, skip: int = 0, share: slice = ALL) -> Iterator[Batch]:
        """Give an epoch's batches; see `BatchSource`."""
        order = self._order()
        for i in range(skip, len(self)):
            start = i * self.batch_size
            rows = order[start : start + self.batch_size][share]
            x = self.x.index_select(0, rows)
            labels = None if self.labels is None else self.labels.index_select(0, rows)
            rest = [c.index_select(0, rows) for c in self.covariates]
            yield (x if self.transform is None else self.transform(x)), labels, *rest

    def sample(self, n: int) -> tuple[Tensor, *tuple[Tensor, ...]]:
        """Give rows drawn without replacement, by a fixed seed; see `BatchSource`."""
        if n >= self.n_rows:
            return self.x, *self.covariates
        order = torch.randperm(self.n_rows, generator=torch.Generator().manual_seed(0))
        rows = order[:n].sort().values.to(self.x.device)
        return self.x[rows], *(c[rows] for c in self.covariates)

    def _order(self) -> Tensor:
        # A generator draws only on its own device; the order is moved to that of the data.
        where = self.x.device if self.generator is None else self.generator.device
        drawn = None if self.weights is None else self._drawn(self.weights.to(where))
        if not self.shuffle:
            order = torch.arange(self.n_rows, device=self.x.device)
        else:
            order = torch.randperm(self.n_rows, generator=self.generator, device=where)
        return (order if drawn is None else drawn[order.to(where)]).to(self.x.device)

    def _drawn(self, weights: Tensor) -> Tensor:
        """Draw as many rows as there are, each as often as its weight says."""
        offset: Tensor | float = 0.5
        if self.shuffle:
            offset = torch.rand(
                (), generator=self.generator, dtype=torch.float64, device=weights.device
            )
        counts = systematic_counts(weights, self.n_rows, offset)
        places = torch.arange(self.n_rows, device=weights.device)
        return places.repeat_interleave(counts, output_size=self.n_rows)
