"""Encode tables, and own everything that depends on rows being those of a table."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.data.checks import counted, listed
from pyro_gmvae.data.columns.cells import frame_of
from pyro_gmvae.data.columns.conform import conform_columns
from pyro_gmvae.data.columns.mixed import MixedColumns
from pyro_gmvae.data.columns.plain import refuse_mixed
from pyro_gmvae.data.encoding import Binarize, Encoding, KindDefaults
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.table_defaults import TABLE_DEFAULTS, defaults_of_laws
from pyro_gmvae.data.transformations import Compose, FeatureDropout, Resample, Transformation
from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods import Support

if TYPE_CHECKING:
    import pandas

    from pyro_gmvae.data.dataset import Dataset

__all__ = ["MOST_CORRELATED", "WIDE", "TableEncoding"]

SMALLEST_SCALE = 2.0**-100  # a smaller scale, or a larger one than 2^100, gets a unit of its own
LARGEST_EXPONENT = 1021  # of a unit; 2^1022 is beyond the numbers that a table may have
MOST_CORRELATED = 32  # columns of numbers whose covariances within clusters a training begins at
WIDE = 100  # columns; in a wider table a mixture fits no covariances, and is a bad start


class TableEncoding(Encoding):
    """Map the rows ``(D,)`` of a table to model scale, each column by its own shift and scale.

    The shift is taken off in float64, for a column may vary little about a large number, as the
    times of a day do about the seconds since 1970. Model scale is of the type of ``scale``, float32
    at first. A column whose scale is beyond float32 is measured in a power of two, and its shift
    and scale are in that unit.

    Columns of several kinds, or with gaps, go through a `MixedColumns` as well: model scale then
    has D' columns, which ``columns`` and ``column_weights`` describe.

    Args:
        event_shape: ``(D,)``.
        binarize: see `Encoding`.
        schema: the columns; unnamed ones if None.
        exponents: the exponent of two of each column's unit; None is 0 for all.
        mixed: the map of columns of several kinds; None for columns of numbers alone.

    >>> table = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    >>> encoding = TableEncoding.standardize(table)
    >>> encoding.encode_mean(table)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """

    kind = "table"
    plural = "tables"
    convolves = False
    defaults = TABLE_DEFAULTS
    moves: ClassVar = {"resample": Resample, "dropout": FeatureDropout}
    sample_suffixes = (".csv", ".csv.gz", ".parquet")
    sample_words = "samples of a table are a table"

    schema: Schema
    unit: Tensor | None

    def __init__(
        self,
        event_shape: Sequence[int],
        binarize: Binarize = "none",
        *,
        schema: Schema | None = None,
        exponents: Sequence[int] | None = None,
        mixed: MixedColumns | None = None,
    ) -> None:
        super().__init__(event_shape, binarize)
        self.mixed = mixed
        self.schema = schema or Schema.of_numbers(self.event_shape[0])
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

        A column that is constant is only shifted, and one without a value is left alone.
        """
        double = x.double()
        double = torch.where(double.isnan().all(0), 0.0, double)
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
        """Tell columns of several kinds, or with gaps, from numbers and from zeros and ones."""
        schema = data.schema
        # Rows that are not in memory may have gaps where those in memory have none.
        if schema is not None and (not schema.is_plain or any(c.gaps for c in schema.columns)):
            return "mixed"
        if data.x.isnan().any():
            return "mixed"
        return "binary" if ((data.x == 0) | (data.x == 1)).all() else "real"

    @classmethod
    def has_laws(cls, support: Support, event_shape: Sequence[int]) -> bool:
        """Return True for mixed columns, and for up to 32 columns of real numbers."""
        return support == "mixed" or (support == "real" and event_shape[0] <= MOST_CORRELATED)

    @classmethod
    def usual(cls, support: Support, n_rows: int, *, laws: bool) -> KindDefaults:
        """Return the defaults; trainings by laws count steps, and grow with the rows."""
        if not laws:
            return cls.defaults
        return defaults_of_laws(n_rows, mixed=support == "mixed")

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

        Real numbers are standardised; others are left alone. Under ``"mixed"`` the schema of the
        data decides; under any other support all columns are numbers.

        Raises:
            InputError: for values that the likelihood does not take, such as gaps and text, a
                likelihood of 8-bit images, or a binarisation.
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
        schema = data.schema or Schema.of_numbers(data.event_shape[0], data.feature_names)
        if support == "mixed":
            return cls._fit_mixed(data.x, schema)
        refuse_mixed(data, schema, likelihood)
        schema = schema.as_numbers()
        if support == "real":
            return cls.standardize(data.x, schema)
        made = cls(data.event_shape, "dynamic" if support == "binary" else "none", schema=schema)
        made.check(data.x, support, likelihood)
        return made

    @classmethod
    def _fit_mixed(cls, x: Shaped[Tensor, "rows features"], schema: Schema) -> TableEncoding:
        """Make the encoding of columns of several kinds, or with gaps."""
        raw = x.double()
        mixed, near = MixedColumns.fit(schema, raw)
        found = cls.standardize(near)
        made = cls(x.shape[1:], schema=schema, exponents=found.exponents, mixed=mixed)
        made.shift.copy_(found.shift)
        made.scale.copy_(found.scale)
        mixed.fit_lines(made._shifted(mixed.prepare(raw)))
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
    def suitable_start(
        cls, event_shape: Sequence[int], support: Support, *, taught: bool = False
    ) -> str:
        """Compare starts for real numbers; begin at a mixture for mixed columns, else near k-means.

        Where clusters are taught, there is one start: a mixture for up to 100 real columns.
        """
        if support == "real" and not taught:
            return "portfolio"
        fits = support == "mixed" or (support == "real" and event_shape[0] <= WIDE)
        return "mixture" if fits else "kmeans"

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

    @property
    def model_shape(self) -> tuple[int, ...]:
        """Return ``(D',)``, the columns that the model sees."""
        return self.event_shape if self.mixed is None else (len(self.mixed.words),)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return what each column on model scale is: ``"real"``, ``"count"`` or ``"levels:L"``."""
        return ("real",) * len(self.schema) if self.mixed is None else self.mixed.words

    @property
    def column_weights(self) -> tuple[float, ...]:
        """Return the weight in training of each column on model scale."""
        return (1.0,) * len(self.schema) if self.mixed is None else self.mixed.weights

    @property
    def model_names(self) -> tuple[str, ...] | None:
        """Return a name for each column on model scale; those of a spike are told apart."""
        if self.mixed is None:
            return self.schema.names
        return self.mixed.names_on_model_scale(self.schema)

    def scaled(self, raw: Shaped[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_model"]:
        """Bring rows to model scale; see `Encoding.scaled`."""
        if self.mixed is not None:
            raw = raw.to(self.shift.dtype)
            return self.mixed.expand(self._shifted(self.mixed.prepare(raw)), raw).to(
                self.scale.dtype
            )
        return super().scaled(raw if self.unit is None else raw / self.unit)

    def _shifted(self, flat: Tensor) -> Tensor:
        """Take shift and scale off, without rounding to the type of model scale."""
        return ((flat if self.unit is None else flat / self.unit) - self.shift) / self.scale

    def decode(self, x: Float[Tensor, "*batch_model"]) -> Float[Tensor, "*batch_event"]:
        """Bring rows on model scale to raw units; see `Encoding.decode`.

        Codes become the nearest level, and counts are at least 0; both may be means.
        """
        decoded = super().decode(x if self.mixed is None else self.mixed.collapse(x))
        decoded = decoded if self.unit is None else decoded * self.unit
        return decoded if self.mixed is None else self.mixed.restore(decoded, x)

    def move(self, name: str, rows: Shaped[Tensor, "rows *event"]) -> Transformation:
        """Return a random change; mixed columns get cells of other rows, or gaps."""
        groups = None if self.mixed is None else self.mixed.places
        if name == "dropout":
            return FeatureDropout(gaps=groups is not None, groups=groups)
        return Resample(groups=groups)

    @property
    def takes_gaps(self) -> bool:
        """Return True if the columns are of several kinds, or had gaps in training."""
        return self.mixed is not None

    @property
    def takes_small_steps(self) -> bool:
        """Return True if all columns are numbers without gaps."""
        return self.mixed is None

    def to_frame(self, raw: Float[Tensor, "rows columns"]) -> pandas.DataFrame:
        """Return rows in raw units as a data frame, with text, dates and truth values."""
        return frame_of(self.schema, raw.double().cpu().numpy())

    def as_given(self, raw: Float[Tensor, "rows columns"]) -> Any:
        """Return a data frame if the cells are more than numbers, else an array."""
        return self.to_frame(raw) if self.schema.has_other_cells else super().as_given(raw)

    def log_abs_det(self, raw: Shaped[Tensor, "rows columns"]) -> Float[Tensor, " rows"]:
        """Return the log volume of each row; see `Encoding.log_abs_det`.

        A gap counts for nothing, and neither does a level or a count, whose likelihood is a
        probability.
        """
        raw = raw.to(self.shift.dtype)
        volume = -self.scale.to(raw.dtype).log()
        if self.exponents is not None:
            volume = volume - log(2) * torch.tensor(self.exponents).to(volume)
        if self.mixed is None:
            return torch.where(raw.isnan(), 0.0, volume).sum(-1)
        flat = self.mixed.prepare(raw)
        volume = volume + self.mixed.log_slope(self._shifted(flat), raw)
        counts = self.mixed.has_density & ~flat.isnan()
        return torch.where(counts, volume, 0.0).sum(-1)

    def conform(self, data: Dataset) -> Dataset:
        """Find the columns of training by their names, where there are names.

        Columns that training left out, or did not have, are left out here. A model of mixed
        columns takes a missing one, and levels that training did not have, for gaps.

        Warns:
            DataWarning: once, for all that is taken for a gap.

        Raises:
            InputError: for another kind or number of columns, for columns or cells that are missing
                where the model takes no gaps, or for cells that are not as in training.
        """
        if data.kind is not type(self):
            raise self._misfit(data)
        found = conform_columns(data, self.schema, takes_gaps=self.takes_gaps)
        if not self.takes_gaps and found.x.isnan().any():
            gaps = counted(found.x.isnan().numpy(), self.schema.shown_names)
            raise InputError(
                f"{data.name} has missing cells, in {gaps}, and the model was trained to take "
                "none: fill them, or train again with likelihood table."
            )
        return found

    def check(self, x: Shaped[Tensor, "rows *event"], support: Support, likelihood: str) -> None:
        """Refuse raw values that the likelihood does not take; gaps are no values.

        Raises:
            InputError: naming the values.
        """
        far = self.scaled(self._extremes(x)).isinf().any(0).nonzero().flatten().tolist()
        if far:
            names = self.schema.shown_names
            places = range(len(names)) if self.mixed is None else self.mixed.places
            raise InputError(
                "These rows have numbers that are too far from those in training, in "
                f"{listed(dict.fromkeys(names[places[i]] for i in far))}: correct them, or drop "
                "the rows."
            )
        known = x[~x.isnan()]
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

    def _extremes(self, x: Tensor) -> Tensor:
        """Return rows that are beyond model scale if and only if ``x`` is.

        The maps of the columns are monotone, so the least and the largest cells decide, except
        where the usual value of a spike, which is not mapped, may be one of them.
        """
        if self.mixed is not None and self.mixed.spikes:
            return x
        cells = x.numpy(force=True)
        ends = [f.reduce(cells, initial=np.nan) for f in (np.fmin, np.fmax)]
        return torch.from_numpy(np.stack(ends)).to(x)

    def to_config(self) -> dict[str, Any]:
        """Return the structure, the columns among it, as plain JSON."""
        own = {"columns": self.schema.to_config(), "left_out": self.schema.left_out_config()}
        units = {} if self.exponents is None else {"exponents": list(self.exponents)}
        mixed = {} if self.mixed is None else {"mixed": self.mixed.to_config()}
        return super().to_config() | own | units | mixed

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
        mixed = config.get("mixed")
        mixed = None if mixed is None else MixedColumns.from_config(schema, mixed)
        return cls(shape, binarize, schema=schema, exponents=exponents, mixed=mixed)


def _are_exponents(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(v) is int and abs(v) <= LARGEST_EXPONENT for v in values)
    )
