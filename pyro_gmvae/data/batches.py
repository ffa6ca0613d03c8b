"""Mini-batches of data that are already on the device."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

Batch = tuple[Tensor, Tensor | None, *tuple[Tensor, ...]]  # x, y, covariates


class Batches:
    """Iterates over `(x, y, *covariates)` mini-batches, in a new order every epoch.

    Rows are gathered on the device of `x`, without a worker or a copy per item. The only random
    state is that of `generator`: restore it and the following epochs are the same bit for bit.

    Args:
        x: `(N, *event)`, on the device where batches are wanted.
        batch_size: rows in a batch; the last one may have fewer.
        y: N rows, moved to the device of `x`; batches hold None in its place if there is none.
        covariates: further tensors of N rows, moved likewise.
        transform: applied to each batch of `x`, such as a `Preprocessor`.
        shuffle: whether each epoch gets a fresh permutation.
        generator: on the CPU or on the device of `x`; the global one of that device if None.
        drop_last: leave out a last batch that is not full.

    Raises:
        ValueError: if `batch_size` is below 1, there would be no batch, or `y` has another length.
    """

    def __init__(
        self,
        x: Shaped[Tensor, "rows *event"],
        batch_size: int,
        *,
        y: Shaped[Tensor, "labels *each"] | None = None,
        covariates: Sequence[Tensor] = (),
        transform: Callable[[Tensor], Tensor] | None = None,
        shuffle: bool = True,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if len(x) < (batch_size if drop_last else 1):
            raise ValueError(f"{len(x)} rows give no batch of {batch_size}")
        if y is not None and len(y) != len(x):
            raise ValueError(f"{len(x)} rows but {len(y)} labels")
        if any(len(c) != len(x) for c in covariates):
            raise ValueError(f"{len(x)} rows but {[len(c) for c in covariates]} of the covariates")
        self.x = x
        self.y = None if y is None else y.to(x.device)
        self.covariates = [c.to(x.device) for c in covariates]
        self.batch_size = batch_size
        self.transform = transform
        self.shuffle = shuffle
        self.generator = generator
        self.drop_last = drop_last

    def __len__(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(len(self.x), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch()

    def epoch(self, skip: int = 0) -> Iterator[Batch]:
        """An epoch's batches but its first `skip`; the others are as if those had been made."""
        order = self._order()
        for i in range(skip, len(self)):
            start = i * self.batch_size
            rows = order[start : start + self.batch_size]
            x = self.x.index_select(0, rows)
            y = None if self.y is None else self.y.index_select(0, rows)
            rest = [c.index_select(0, rows) for c in self.covariates]
            yield (x if self.transform is None else self.transform(x)), y, *rest

    def _order(self) -> Tensor:
        if not self.shuffle:
            return torch.arange(len(self.x), device=self.x.device)
        # A generator draws only on its own device; the order then goes to that of the data.
        where = self.x.device if self.generator is None else self.generator.device
        order = torch.randperm(len(self.x), generator=self.generator, device=where)
        return order.to(self.x.device)
