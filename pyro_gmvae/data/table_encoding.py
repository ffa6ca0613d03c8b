"""Encode tables, and own everything that depends on rows being those of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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

WIDE = 100  # columns; in a wider table a mixture fits no covariances, and is a bad start


class TableEncoding(Encoding):
    """Map the rows ``(D,)`` of a table to model scale, each column by its own shift and scale.

    The shift is taken off in float64, for a column may vary little about a large number, as the
    times of a day do about the seconds since 1970. Model scale is of the type of ``scale``, float32
    at first.

    Args:
        event_shape: ``(D,)``.
        binarize: see `Encoding`.
        schema: the columns; unnamed ones if None.

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
    sample_suffixes = (".csv",)
    sample_words = "samples of a table are a table"

    def __init__(
        self,
        event_shape: Sequence[int],
        binarize: Binarize = "none",
        *,
        schema: Schema | None = None,
    ) -> None:
        super().__init__(event_shape, binarize)
        self.schema = schema or Schema.infer(self.event_shape[0])
        self.register_buffer("shift", torch.zeros(self.event_shape, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(self.event_shape))

    @classmethod
    def standardize(
        cls, x: Shaped[Tensor, "rows features"], schema: Schema | None = None
    ) -> TableEncoding:
        """Give every column of the training rows mean 0 and variance 1, gaps left out.

        A column that is constant is only shifted.
        """
        made = cls(x.shape[1:], schema=schema)
        double = x.double()
        shift = double.nanmean(0)
        scale = (double - shift).square().nanmean(0).sqrt()
        # The deviation of a constant column may be a rounding error, so the range decides.
        top = double.nan_to_num(nan=-torch.inf).amax(0)
        constant = top == double.nan_to_num(nan=torch.inf).amin(0)
        made.shift.copy_(shift)
        made.scale.copy_(scale.masked_fill(constant, 1.0))
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

    def log_abs_det(self) -> Float[Tensor, ""]:
        """Return minus the sum of the log scales, in nats a row."""
        return -self.scale.log().sum()

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
        return super().to_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TableEncoding:
        """Make an encoding of the stored structure; see `Encoding.from_config`."""
        stored = super().from_config(config)
        schema = Schema.from_config(config.get("columns"), config.get("left_out", ()))
        if len(stored.event_shape) != 1 or len(schema) != stored.event_shape[0]:
            raise InputError("The stored columns are not those of the table: train again.")
        return cls(stored.event_shape, stored.binarize, schema=schema)
