"""Encode embeddings, and own everything that depends on rows being directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.data.checks import counted, listed
from pyro_gmvae.data.columns.plain import refuse_mixed
from pyro_gmvae.data.encoding import Binarize, KindDefaults
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.data.transformations import FeatureDropout, NearestRow, Resample, Transformation
from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods import Support

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["EmbeddingEncoding", "unit_length"]

FEWEST_COLUMNS = 64  # of a table that is taken for embeddings by the length of its rows
LENGTH_TOLERANCE = 1e-3  # what float16 leaves of a unit length, with room
KNOWN_ROWS = 5_000  # rows that neighbours are looked up in


def unit_length(x: Shaped[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
    """Divide each row by its Euclidean length; a row of zeros stays zero.

    >>> unit_length(torch.tensor([3.0, 4.0]))
    tensor([0.6000, 0.8000])
    """
    return x / x.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)


class EmbeddingEncoding(TableEncoding):
    """Map rows ``(D,)`` to their directions, centred, all columns in one scale.

    The length of a row is left out. One scale for all columns keeps the angles between rows, which
    a scale for each column would change. A density is that of the unit-length row among all D
    numbers.

    Args: those of `TableEncoding`.

    >>> x = torch.tensor([[3.0, 4.0], [0.6, 0.8], [0.0, 2.0]])
    >>> encoding = EmbeddingEncoding.centre(x)
    >>> torch.allclose(encoding.encode_mean(x)[0], encoding.encode_mean(x)[1], atol=1e-6)
    True
    >>> encoding.decode(encoding.encode_mean(x))[:2].float()
    tensor([[0.6000, 0.8000],
            [0.6000, 0.8000]])
    """

    kind = "embedding"
    plural = "embeddings"
    defaults = KindDefaults(
        learning_rate=3e-3,
        latent_dim=10,
        hidden=(256, 256),
        epoch_steps=10,
        anneals_found_clusters=False,
        start_steps=None,
        tolerates_bfloat16=False,
        total_steps=500,
        learning_rate_schedule="cosine",
    )
    moves: ClassVar = {
        "neighbours": NearestRow,
        "resample": Resample,
        "dropout": FeatureDropout,
    }

    @classmethod
    def recognizes(cls, data: Dataset) -> bool:
        """Return True for 64 columns of numbers or more, if all rows have unit length."""
        numbers = data.schema is None or data.schema.is_plain
        if data.kind is not TableEncoding or not numbers or data.event_shape[0] < FEWEST_COLUMNS:
            return False
        length = data.x.norm(dim=-1)
        return bool(((length - 1).abs() <= LENGTH_TOLERANCE).all())

    @classmethod
    def centre(
        cls, x: Shaped[Tensor, "rows features"], schema: Schema | None = None
    ) -> EmbeddingEncoding:
        """Give the directions of the training rows mean 0, and variance 1 over all columns."""
        direction = unit_length(x.double())
        made = cls(x.shape[1:], schema=schema)
        made.shift.copy_(direction.mean(0))
        spread = (direction - made.shift.to(direction)).square().mean().sqrt()
        made.scale.fill_(float(spread) if spread > 0 else 1.0)
        return made

    @classmethod
    def support_of(cls, data: Dataset) -> Support:
        """Return that of real numbers."""
        return "real"

    @classmethod
    def has_laws(cls, support: Support, event_shape: Sequence[int]) -> bool:
        """Return False: covariances of so many columns are mostly noise."""
        return False

    @classmethod
    def fit(
        cls,
        data: Dataset,
        support: Support,
        *,
        likelihood: str = "this",
        binarize: Binarize | None = None,
    ) -> EmbeddingEncoding:
        """Make the encoding of embeddings for a likelihood of real numbers; see `Encoding.fit`.

        Raises:
            InputError: for another likelihood, a binarisation, cells that are no numbers, gaps, or
                rows of zeros.
        """
        if support != "real" or binarize not in (None, "none"):
            raise InputError(
                f"{data.name} has embeddings, which are real numbers: leave likelihood and "
                "binarize out, or choose the kind table"
            )
        schema = data.schema or Schema.of_numbers(data.event_shape[0], data.feature_names)
        refuse_mixed(data, schema, likelihood)
        _refuse_zero_rows(data)
        return cls.centre(data.x, schema.as_numbers())

    @classmethod
    def suitable_start(
        cls, event_shape: Sequence[int], support: Support, *, taught: bool = False
    ) -> str:
        """Begin near clusters that neighbours share."""
        return "neighbours"

    @classmethod
    def describe(cls, event_shape: Sequence[int]) -> str:
        """Count the columns."""
        return f"embeddings of {super().describe(event_shape)}"

    def scaled(self, raw: Shaped[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_model"]:
        """Bring rows to model scale; see `Encoding.scaled`."""
        return super().scaled(unit_length(raw.to(self.shift.dtype)))

    def move(self, name: str, rows: Shaped[Tensor, "rows *event"]) -> Transformation:
        """Return a random change; ``"neighbours"`` looks neighbours up in 5,000 rows at most."""
        if name != "neighbours":
            return super().move(name, rows)
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
        known = self.encode_mean(rows[order[:KNOWN_ROWS].to(rows.device)].to(self.scale.device))
        return NearestRow.among(known)

    def conform(self, data: Dataset) -> Dataset:
        """Find the columns of training; see `TableEncoding.conform`.

        Raises:
            InputError: as there, and for gaps or rows of zeros.
        """
        if data.kind is TableEncoding:
            data = replace(data, kind=EmbeddingEncoding)
        if data.kind is EmbeddingEncoding and data.x.isnan().any():
            names = (data.schema or Schema.of_numbers(data.event_shape[0])).shown_names
            raise InputError(
                f"{data.name} has missing cells, in {counted(data.x.isnan().numpy(), names)}, and "
                "an embedding has none: fill them, or drop the rows"
            )
        found = super().conform(data)
        _refuse_zero_rows(found)
        return found


def _refuse_zero_rows(data: Dataset) -> None:
    zero = (data.x == 0).all(-1).nonzero().flatten().tolist()
    if zero:
        raise InputError(
            f"{data.name} has rows of zeros, which have no direction: drop the rows "
            f"{listed(zero)}, counted from 0"
        )
