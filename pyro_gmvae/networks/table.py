"""Read rows of a table, with gaps, into networks: features, and statistics of per-column laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pyro_gmvae.distributions import ColumnLayout, IndexedColumns
from pyro_gmvae.networks.mlp import mlp

__all__ = [
    "RealCells",
    "TableClusterEncoder",
    "TableFeatures",
    "TableStatistics",
    "ignore_missing_flags",
]

FARTHEST = 10.0  # standard deviations; a hidden layer takes a number beyond for one as far


class _Split(NamedTuple):
    """Hold real cells and counts, each with 0 for a gap, their masks, and one-hot levels."""

    cells: list[Tensor]
    seen: list[Tensor]
    one_hot: Tensor


class _TableInput(IndexedColumns):
    """Hold where the columns of each family are, and split a row by it."""

    def __init__(self, layout: ColumnLayout) -> None:
        super().__init__()
        self.layout = layout
        self.index_columns(layout)

    def split(self, x: Tensor) -> _Split:
        """Split rows by the families of their columns."""
        index = self.index
        cells, seen = [], []
        for places in (index.reals, index.counts):
            part = x.index_select(-1, places)
            known = ~part.isnan()
            cells.append(torch.where(known, part, torch.zeros_like(part)))
            seen.append(known.to(x.dtype))
        codes = x.index_select(-1, index.levels)
        # A gap equals no code, so that all its levels are 0.
        one_hot = (codes.index_select(-1, index.column) == index.code).to(x.dtype)
        return _Split(cells, seen, one_hot)


class TableFeatures(_TableInput):
    """Turn rows ``(*batch, D)`` on model scale into features that a network takes.

    The features are the real cells, the logarithms of the counts, standardised, the levels
    one-hot, and a flag for each column, which is 1 where the cell is missing. The other features
    of a missing cell are 0.

    Args:
        layout: the columns.

    Attributes:
        count_shift, count_scale: mean and standard deviation of log(1 + x) of the counts.

    >>> features = TableFeatures(ColumnLayout(("real", "levels:2")))
    >>> features(torch.tensor([[0.5, 1.0], [float("nan"), 0.0]]))
    tensor([[0.5000, 0.0000, 1.0000, 0.0000, 0.0000],
            [0.0000, 1.0000, 0.0000, 1.0000, 0.0000]])
    """

    count_shift: Tensor
    count_scale: Tensor

    def __init__(self, layout: ColumnLayout) -> None:
        super().__init__(layout)
        self.register_buffer("count_shift", torch.zeros(len(layout.count)))
        self.register_buffer("count_scale", torch.ones(len(layout.count)))
        self.size = layout.n_central + len(layout)

    def forward(
        self, x: Float[Tensor, "*batch D"], split: _Split | None = None
    ) -> Float[Tensor, "*batch F"]:
        """Make the features; a caller that has split the rows already gives what it has."""
        (real, count), (_, counted), one_hot = self.split(x) if split is None else split
        real = real.clamp(-FARTHEST, FARTHEST)
        logs = counted * (count.log1p() - self.count_shift) / self.count_scale
        return torch.cat([real, logs, one_hot, x.isnan().to(x.dtype)], -1)


class RealCells(_TableInput):
    """Take the real cells of rows as they are, with 0 for a gap.

    >>> RealCells(ColumnLayout(("real", "levels:2")))(torch.tensor([[30.0, 1.0]]))
    tensor([[30.]])
    """

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        return self.split(x).cells[0]


class TableStatistics(_TableInput):
    r"""Turn rows into the statistics in which the log-densities of per-column laws are linear.

    A real cell gives x, x² and 1, a count x and 1, a level its one-hot vector; all are 0 where the
    cell is missing. The log joint of a mixture of such laws is therefore a linear layer of them,
    whose terms for missing cells vanish, and its softmax is the exact posterior p(y|x), with any
    gaps.

    The product of two real columns joins them where real columns are correlated within clusters,
    as those of a Gaussian mixture are. With gaps the posterior is then not exact.

    Args:
        layout: the columns.
        correlated: whether to give the products.

    >>> statistics = TableStatistics(ColumnLayout(("real", "levels:2")))
    >>> statistics(torch.tensor([[3.0, 1.0], [float("nan"), 0.0]]))
    tensor([[3., 9., 1., 0., 1.],
            [0., 0., 0., 1., 0.]])
    """

    first: Tensor
    second: Tensor

    def __init__(self, layout: ColumnLayout, *, correlated: bool = False) -> None:
        super().__init__(layout)
        n = len(layout.real)
        pairs = torch.empty(2, n * (n - 1) // 2 if correlated else 0, dtype=torch.long)
        if correlated and not pairs.is_meta:  # a model of shapes alone has no values
            pairs = torch.triu_indices(n, n, 1)
        self.register_buffer("first", pairs[0], persistent=False)
        self.register_buffer("second", pairs[1], persistent=False)
        self.size = 3 * n + 2 * len(layout.count) + layout.n_levels + pairs.shape[1]

    def forward(
        self, x: Float[Tensor, "*batch D"], split: _Split | None = None
    ) -> Float[Tensor, "*batch F"]:
        """Compute the statistics; ``split`` is as in `TableFeatures`."""
        (real, count), (seen, counted), one_hot = self.split(x) if split is None else split
        parts = [real, real * real, seen, count, counted, one_hot]
        if len(self.first):
            parts.append(real.index_select(-1, self.first) * real.index_select(-1, self.second))
        return torch.cat(parts, -1)


class TableClusterEncoder(nn.Module):
    """Give the last layer of q(y|x) the statistics of per-column laws, and hidden features.

    The last layer can hold the exact posterior of a mixture of per-column laws. What the hidden
    features add is learned.

    Args:
        layout: the columns.
        hidden: sizes of the hidden layers.
        correlated: as in `TableStatistics`.

    >>> encoder = TableClusterEncoder(ColumnLayout(("real", "levels:2")), hidden=(4,))
    >>> encoder(torch.zeros(3, 2)).shape  # five statistics and four hidden features
    torch.Size([3, 9])
    """

    def __init__(
        self, layout: ColumnLayout, hidden: Sequence[int], *, correlated: bool = False
    ) -> None:
        super().__init__()
        self.statistics = TableStatistics(layout, correlated=correlated)
        self.features = TableFeatures(layout)
        self.layers = mlp([self.features.size, *hidden])
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        ignore_missing_flags(first, len(layout))

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch F"]:
        split = self.features.split(x)
        return torch.cat([self.statistics(x, split), self.layers(self.features(x, split))], -1)


def ignore_missing_flags(first: nn.Linear, n_flags: int) -> None:
    """Begin with no weight on the flags of missing cells.

    A column without a gap in training teaches nothing about its flag. With a random weight the
    flag would be noise in rows that lack the cell later.

    >>> first = nn.Linear(3, 2)
    >>> ignore_missing_flags(first, n_flags=1)
    >>> first.weight[:, -1].tolist()
    [0.0, 0.0]
    """
    with torch.no_grad():
        first.weight[:, -n_flags:] = 0
