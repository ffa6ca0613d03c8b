"""Encode tables, and own everything that depends on rows being those of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.data.checks import listed
from pyro_gmvae.data.encoding import Binarize, Encoding, KindDefaults
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.transformations import Compose, FeatureDropout, Resample
from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods import Support

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["WIDE", "TableEncoding"]

SMALLEST_SCALE = 2.0**-100  # a smaller scale, or a larger one than 2^100, gets a unit of its own
LARGEST_EXPONENT = 1021  # of a unit; 2^1022 is beyond the numbers that a table may have
WIDE = 100  # columns; in a wider table a mixture fits no covariances, and is a bad start


class TableEncoding(Encoding):
    """Map the rows ``(D,)`` of a table to model scale, each column by its own shift and scale.

    The shift is taken off in float64, for a column may vary little about a large number, as the
    times of a day do about the seconds since 1970. Model scale is of the type of ``scale``, float32
    at first. A column whose scale is beyond float32 is measured in a power of two, and its shift
    and scale are in that unit.

    Args:
        event_shape: ``(D,)``.
        binarize: see `Encoding`.
        schema: the columns; unnamed ones if None.
        exponents: the exponent of two of each column's unit; None is 0 for all.

    >>> table = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    >>> encoding = TableEncoding.standardize(table)
    >>> encoding.encode_mean(table)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """

    kind = "table"
    plural = "tables"
    convolves = False
    defaults = KindDefaults(
        learning_rate=3e-3,
        latent_dim=10,
        hidden=(128, 128),
        epoch_steps=10,
        anneals_found_clusters=False,
        start_steps=250,
        tolerates_bfloat16=False,
    )
    moves: ClassVar = {"resample": Resample, "dropout": FeatureDropout}
    sample_suffixes = (".csv", ".csv.gz", ".parquet")
    sample_words = "samples of a table are a table"

    unit: Tensor | None

    def __init__(
        self,
        event_shape: Sequence[int],
        binarize: Binarize = "none",
        *,
        schema: Schema | None = None,
        exponents: Sequence[int] | None = None,
    ) -> None:
        super().__init__(event_shape, binarize)
        self.schema = schema or Schema.infer(self.event_shape[0])
        self.exponents = tuple(exponents) if exponents is not None and any(exponents) else None
        units = None
        if self.exponents is not None:
            units = torch.from_numpy(np.ldexp(1.0, self.exponents))
        self.register_buffer("unit", units)
        self.register_buffer("shift", torch.zeros(self.event_shape, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(self.event_shape))

    @classmethod
    def standardize(
        cls, x: Shaped[Tensor, "rows features"], schema: Schema | None = None
    ) -> TableEncoding:
        """Give every column of the training rows mean 0 and variance 1, gaps left out.

        A column that is constant is only shifted.
        """
        double = x.double()
        top = double.nan_to_num(nan=-torch.inf).amax(0)
        bottom = double.nan_to_num(nan=torch.inf).amin(0)
        # Divided by a power of two, which rounds nothing, squares neither overflow nor vanish.
        power = np.frexp(torch.maximum(top.abs(), bottom.abs()).numpy(force=True))[1]
        unit = torch.from_numpy(np.ldexp(1.0, power)).to(double)
        double = double / unit
        shift = double.nanmean(0)
        scale = (double - shift).square().nanmean(0).sqrt()
        # The deviation of a constant column may be a rounding error, so the range decides.
        constant = top == bottom
        size = torch.where(constant, 1.0, scale) * unit
        plain = (size > SMALLEST_SCALE) & (size < 1 / SMALLEST_SCALE)
        exponents = np.where(plain.numpy(force=True), 0, power).tolist()
        made = cls(x.shape[1:], schema=schema, exponents=exponents)
        left = torch.where(plain, unit, 1.0)
        made.shift.copy_(shift * left)
        made.scale.copy_((scale * left).masked_fill(constant, 1.0))
        return made

    @classmethod
    def support_of(cls, data: Dataset) -> Support:
        """Tell a table of zeros and ones from other numbers."""
        return "binary" if ((data.x == 0) | (data.x == 1)).all() else "real"

    @classmethod
    def fit(
        cls,
        data: Dataset,
        support: Support,
        *,
        likelihood: str = "this",
        binarize: Binarize | None = None,
    ) -> TableEncoding:
        """Make the encoding of a table for a likelihood; see `Encoding.fit`.

        Real numbers are standardised; others are left alone.

        Raises:
            InputError: for values that the likelihood does not take, a likelihood of 8-bit images,
                or a binarisation.
        """
        if binarize not in (None, "none"):
            raise InputError(
                f"{data.name} is a table: only images are binarised, leave binarize out"
            )
        if support == "levels":
            raise InputError(
                f"the {likelihood} likelihood is for 8-bit images and {data.name} is a table: use "
                "a likelihood of real numbers"
            )
        schema = Schema.infer(data.event_shape[0], data.feature_names, data.left_out)
        if support == "real":
            return cls.standardize(data.x, schema)
        made = cls(data.event_shape, "dynamic" if support == "binary" else "none", schema=schema)
        made.check(data.x, support, likelihood)
        return made

    @classmethod
    def suitable_moves(cls, event_shape: Sequence[int]) -> str:
        """Return ``"none"``: no change is known to be harmless to table rows in general."""
        return "none"

    @classmethod
    def augmentation(cls, data: Dataset, name: str) -> Compose | None:
        """Refuse every name but ``"none"``, since only images are augmented."""
        if name != "none":
            raise InputError(
                f"{data.name} is a table: only images are augmented, leave augment out"
            )
        return None

    @classmethod
    def suitable_start(cls, event_shape: Sequence[int], support: Support) -> str:
        """Begin near a Gaussian mixture of up to 100 columns of real numbers, else near k-means."""
        return "mixture" if support == "real" and event_shape[0] <= WIDE else "kmeans"

    @classmethod
    def cluster_network(cls, *, regularized: bool) -> Literal["mlp", "conv"] | None:
        """Take the network of the other encoders."""
        return None

    @classmethod
    def describe(cls, event_shape: Sequence[int]) -> str:
        """Count the columns."""
        return f"{event_shape[0]} column{'s' * (event_shape[0] != 1)}"

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Return the names of the columns, or None where they have none."""
        return self.schema.names

    def scaled(self, raw: Shaped[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_event"]:
        """Bring rows to model scale; see `Encoding.scaled`."""
        return super().scaled(raw if self.unit is None else raw / self.unit)

    def decode(self, x: Float[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_event"]:
        """Bring rows on model scale to raw units; see `Encoding.decode`."""
        decoded = super().decode(x)
        return decoded if self.unit is None else decoded * self.unit

    def log_abs_det(self) -> Float[Tensor, ""]:
        """Return minus the sum of the log scales, in nats a row."""
        volume = -self.scale.log().sum()
        return volume if self.exponents is None else volume - log(2) * sum(self.exponents)

    def conform(self, data: Dataset) -> Dataset:
        """Bring the columns into the order of training, by their names where there are names.

        Columns that training left out are left out here.

        Raises:
            InputError: for another kind or number of columns, or names that are not known.
        """
        left_out = set(self.schema.left_out) & set(data.feature_names or ())
        if data.kind is not type(self) or (
            data.event_shape[0] - len(left_out) != self.event_shape[0]
        ):
            raise self._misfit(data)
        order = self.schema.order_of(data.feature_names, data.name)
        if torch.equal(order, torch.arange(data.event_shape[0])):
            return data
        notes = data.notes
        if left_out:
            also = listed(n for n in self.schema.left_out if n in left_out)
            notes = (*notes, f"left out as in training: {also}")
        return replace(data, x=data.x[:, order], feature_names=self.schema.names, notes=notes)

    def check(self, x: Shaped[Tensor, "rows *event"], support: Support, likelihood: str) -> None:
        """Refuse raw values that the likelihood does not take; gaps are no values.

        Raises:
            InputError: naming the values.
        """
        known = x[~x.isnan()]
        far = (self.scaled(x).isfinite() != x.isfinite()).any(0)
        if far.any():
            names = self.feature_names or [f"column {i}" for i in range(len(far))]
            raise InputError(
                "These rows have numbers that are too far from those in training, in "
                f"{listed(names[i] for i in far.nonzero().flatten().tolist())}: correct them, or "
                "drop the rows."
            )
        if support in ("binary", "unit_interval"):
            fits, wanted = (known >= 0) & (known <= 1), "values in [0, 1]"
        elif support == "count":
            fits, wanted = (known >= 0) & (known == known.floor()), "whole numbers from 0 on"
        else:
            return
        if not fits.all():
            wrong = known[~fits][0]
            raise InputError(
                f"The {likelihood} likelihood wants {wanted}, one here is {wrong.item():g}: scale "
                "them, or take a likelihood of real numbers."
            )

    def to_config(self) -> dict[str, Any]:
        """Return the structure, the columns among it, as plain JSON."""
        own = {"columns": self.schema.to_config(), "left_out": list(self.schema.left_out)}
        units = {} if self.exponents is None else {"exponents": list(self.exponents)}
        return super().to_config() | own | units

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TableEncoding:
        """Make an encoding of the stored structure; see `Encoding.from_config`."""
        shape, binarize = cls._structure(config)
        schema = Schema.from_config(config.get("columns"), config.get("left_out", []))
        if shape != (len(schema),):
            raise InputError("The stored columns are not those of the table: train again.")
        exponents = config.get("exponents")
        if exponents is not None and not _are_exponents(exponents, len(schema)):
            raise InputError("The stored units of the columns are damaged: train again.")
        return cls(shape, binarize, schema=schema, exponents=exponents)


def _are_exponents(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(v) is int and abs(v) <= LARGEST_EXPONENT for v in values)
    )
