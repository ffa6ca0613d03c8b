"""Define the likelihood of a table whose columns are numbers, counts and levels, with gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import expm1, log
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from pyro_gmvae.distributions import ColumnLayout, IndexedColumns, TableCells
from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods.base import Likelihood, Support

__all__ = ["Table", "TableStructure"]

LEAST_SCALE = 1e-3  # of a real column, on model scale, where the data resolve less
LEAST_DISPERSION, MOST_DISPERSION = 0.05, 1e4  # with more, a count is as good as Poisson
MOST_LOGIT, LEAST_LOG_RATE, MOST_LOG_RATE = 40.0, -10.0, 20.0


@dataclass(frozen=True)
class TableStructure:
    """Say which columns a table has on model scale, and how they count.

    Attributes:
        columns: a word for each column (see `pyro_gmvae.distributions.ColumnLayout`).
        weights: the factor of each column's log-likelihood in training; 1 for all if empty.
        floors: the least standard deviation of each real column, in their order; 0.001 for all if
            empty.
        linear: let the style act linearly within a cluster, or else through hidden layers too.
        correlated: let real columns be correlated within a cluster from the start, as in a mixture
            of Gaussians.

    Raises:
        InputError: for words, weights or floors that do not fit one another.

    >>> TableStructure(("real", "count", "levels:3"), weights=(1.0, 1.0, 0.5)).layout.sizes
    (3,)
    """

    columns: tuple[str, ...]
    weights: tuple[float, ...] = ()
    floors: tuple[float, ...] = ()
    linear: bool = True
    correlated: bool = False

    def __post_init__(self) -> None:
        for name, values, count in (
            ("weights", self.weights, len(self.layout)),
            ("floors", self.floors, len(self.layout.real)),
        ):
            if values and len(values) != count:
                raise InputError(f"a table of {count} such columns has {len(values)} {name}")
            if not all(0 < value < 1e30 for value in values):
                raise InputError(f"{name} of a table must be positive numbers")

    @cached_property
    def layout(self) -> ColumnLayout:
        """Return the columns by family."""
        return ColumnLayout(self.columns)

    @property
    def all_weights(self) -> tuple[float, ...]:
        """Return the weight of every column."""
        return self.weights or (1.0,) * len(self.layout)

    @property
    def all_floors(self) -> tuple[float, ...]:
        """Return the least standard deviation of every real column."""
        return self.floors or (LEAST_SCALE,) * len(self.layout.real)

    def to_config(self) -> dict[str, Any]:
        """Return the structure as plain JSON."""
        return {n: list(v) if isinstance(v, tuple) else v for n, v in asdict(self).items()}


class Table(IndexedColumns, Likelihood):
    """Model each column of a table by the law of its family, and leave out missing cells.

    The decoder gives one vector: the means of the real columns, the log rates of the counts, the
    logits of all levels (together the central part), then raw scales of the real columns and raw
    dispersions of the counts. All columns of a family are one tensor operation. Missing cells are
    NaN; see `pyro_gmvae.distributions.TableCells` for the laws.

    In training mode the columns' log-likelihoods are multiplied by their weights. A wide column
    would outweigh all others otherwise. In evaluation mode every column counts in full.

    Args:
        event_shape: ``(D,)``.
        structure: the columns; real ones if None.

    Raises:
        ValueError: for a shape that is not that of the columns.

    >>> likelihood = Table((2,), TableStructure(("real", "levels:3")))
    >>> likelihood.output_shape
    (5,)
    >>> likelihood(torch.zeros(4, 5)).log_prob(torch.tensor([[torch.nan, 2.0]] * 4)).exp()
    tensor([0.3333, 0.3333, 0.3333, 0.3333])
    """

    support: ClassVar[Support] = "mixed"
    weights: Tensor
    floors: Tensor

    def __init__(self, event_shape: Sequence[int], structure: TableStructure | None = None) -> None:
        super().__init__(event_shape)
        if len(self.event_shape) != 1:
            raise ValueError(f"a table has rows of shape (D,), not {self.event_shape}")
        self.structure = structure or TableStructure(("real",) * self.event_shape[0])
        if self.event_shape != (len(self.layout),):
            raise ValueError(
                f"the table has {len(self.layout)} columns, its rows are {self.event_shape}"
            )
        weights = self.structure.all_weights
        self.weighted = any(w != 1 for w in weights)
        for name, values in (("weights", weights), ("floors", self.structure.all_floors)):
            # Rounded to float32 in every case, so that a model in float64 is the same once loaded.
            rounded = torch.tensor(values, dtype=torch.float32).to(torch.get_default_dtype())
            self.register_buffer(name, rounded, persistent=False)
        self.index_columns(self.layout)

    @property
    def layout(self) -> ColumnLayout:
        """Return the columns."""
        return self.structure.layout

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.layout.n_outputs,)

    def entrywise(self, output: Float[Tensor, "*batch_and_output"]) -> TableCells:
        layout = self.layout
        real, count = len(layout.real), len(layout.count)
        loc, log_rate, logits, raw_scale, raw_dispersion = output.split(
            (real, count, layout.n_levels, real, count), -1
        )
        return TableCells(
            layout,
            self.index,
            loc,
            softplus(raw_scale + START) + self.floors,
            log_rate.clamp(LEAST_LOG_RATE, MOST_LOG_RATE),
            (softplus(raw_dispersion) + LEAST_DISPERSION).clamp(max=MOST_DISPERSION),
            logits.clamp(-MOST_LOGIT, MOST_LOGIT),
            weights=self.weights if self.training and self.weighted else None,
        )

    def output_of(
        self,
        loc: Float[Tensor, "*batch R"],
        scale: Float[Tensor, "*batch R"],
        rate: Float[Tensor, "*batch C"],
        dispersion: Float[Tensor, "*batch C"],
        log_p: Float[Tensor, "*batch L"],
    ) -> Float[Tensor, "*batch_and_output"]:
        """Return the decoder's output that stands for given laws: `entrywise` inverted.

        Args:
            loc, scale: of the real columns; a scale at or below its floor is just above it.
            rate, dispersion: mean and dispersion of the counts.
            log_p: log-probabilities of the levels.
        """
        floors = self.floors.to(scale)
        raw_scale = _inverse_softplus((scale - floors).clamp(min=0.01 * floors)) - START
        bounded = dispersion.clamp(1.02 * LEAST_DISPERSION, MOST_DISPERSION) - LEAST_DISPERSION
        return torch.cat([loc, rate.log(), log_p, raw_scale, _inverse_softplus(bounded)], -1)


START = log(expm1(1.0))  # an output of zero gives a scale of about 1


def _inverse_softplus(x: Tensor) -> Tensor:
    return x + torch.log(-torch.expm1(-x))
