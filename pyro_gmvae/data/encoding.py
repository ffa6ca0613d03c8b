"""Bring raw rows of any kind of data to the scale that a model sees, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.transformations import Compose, Transformation
from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods import Support
from pyro_gmvae.noise import RowNoise, row_keys
from pyro_gmvae.ranges import MOST_AXES, MOST_FEATURES
from pyro_gmvae.stored import DamagedError, shortened, typed

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["Binarize", "Encoding", "KindDefaults"]

Binarize = Literal["dynamic", "static", "none"]

BINARIZED = 1  # the stream of `RowNoise` for the binarisations of scored rows


@dataclass(frozen=True)
class KindDefaults:
    """Hold the settings that a training on one kind of data has by default.

    Attributes:
        learning_rate: the learning rate of Adam.
        latent_dim: Z.
        hidden: the sizes of the hidden layers.
        epoch_steps: steps that an epoch of few rows has, about; None always takes full batches.
        anneals_found_clusters: whether KL(y) is annealed in a training that begins near clusters.
            While it costs little, clusters form where there are none, but those that a table's
            training begins near drift into each other (see docs/clusters.md).
        start_steps: steps in which a model learns the clusters that it begins near; None takes the
            least number.
        tolerates_bfloat16: whether networks in bfloat16 find the same clusters.
        batch: rows in a step, at most.
        total_steps: steps that a training has, about, however many rows there are; None lets
            early stopping decide within 100 epochs.
        fewest_epochs: passes over the data that ``total_steps`` may not cut short; with 1 a pass
            ends once these steps are made.
        learning_rate_schedule: the course of the learning rate.

    >>> from pyro_gmvae.data import TableEncoding
    >>> TableEncoding.defaults.learning_rate
    0.003
    """

    learning_rate: float
    latent_dim: int
    hidden: tuple[int, ...]
    epoch_steps: int | None
    anneals_found_clusters: bool
    start_steps: int | None
    tolerates_bfloat16: bool
    batch: int = 128
    total_steps: int | None = None
    fewest_epochs: int = 5
    learning_rate_schedule: Literal["constant", "cosine"] = "constant"


class Encoding(nn.Module, ABC):
    r"""Map raw rows to model scale and back.

    .. math:: x = (\mathrm{raw} - \mathrm{shift}) / \mathrm{scale}

    Under a likelihood of zeros and ones, x is then binarised. A class for each kind of data owns
    everything that depends on the kind: no other part of the program asks whether rows are images
    or a table. ``shift`` and ``scale`` are buffers: they go with the module to a device and into
    its ``state_dict``; `to_config` holds the rest. Missing entries are NaN, in raw units and on
    model scale.

    Args:
        event_shape: shape of one raw row.
        binarize: ``"dynamic"`` draws each entry anew from Bernoulli(x) at every call, ``"static"``
            sets it to 1 where x is at least 1/2, ``"none"`` leaves it.

    >>> from pyro_gmvae.data import ImageEncoding
    >>> encoding = ImageEncoding((1, 2, 2))
    >>> encoding.encode_mean(torch.full((1, 1, 2, 2), 51, dtype=torch.uint8)).unique()
    tensor([0.2000])
    """

    kind: ClassVar[str]
    plural: ClassVar[str]
    convolves: ClassVar[bool]  # whether convolutional networks suit such rows
    defaults: ClassVar[KindDefaults]
    # Random changes that leave a row's meaning, by name (see `pyro_gmvae.fitting.regularizers`).
    moves: ClassVar[Mapping[str, Callable[..., Transformation]]]
    # The types of file that samples are written to, the usual one first.
    sample_suffixes: ClassVar[tuple[str, ...]]
    sample_words: ClassVar[str]

    schema: Schema | None = None  # the columns of a row; None if it has none
    shift: Tensor
    scale: Tensor

    def __init__(self, event_shape: Sequence[int], binarize: Binarize = "none") -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.binarize = binarize

    # These methods decide what depends on the kind of data before there is a model.

    @classmethod
    @abstractmethod
    def support_of(cls, data: Dataset) -> Support:
        """Say which kind of numbers the raw rows hold, so that a likelihood can be chosen."""

    @classmethod
    def has_laws(cls, support: Support, event_shape: Sequence[int]) -> bool:
        """Say whether clusters begin with laws of their own, exactly at a mixture."""
        return False

    @classmethod
    def usual(cls, support: Support, n_rows: int, *, laws: bool) -> KindDefaults:
        """Return the settings that a training of ``n_rows`` rows has by default.

        Args:
            support: the kind of numbers.
            n_rows: training rows.
            laws: whether clusters begin with laws of their own.
        """
        return cls.defaults

    @classmethod
    @abstractmethod
    def fit(
        cls,
        data: Dataset,
        support: Support,
        *,
        likelihood: str = "this",
        binarize: Binarize | None = None,
    ) -> Encoding:
        """Make the encoding that brings rows to the numbers that a likelihood takes.

        Args:
            data: the training rows.
            support: the support of the likelihood.
            likelihood: the name of the likelihood in messages.
            binarize: None binarises dynamically under a likelihood of zeros and ones alone.

        Raises:
            InputError: if the likelihood does not take such rows.
        """

    @classmethod
    def recognizes(cls, data: Dataset) -> bool:
        """Return True for rows that were read as another kind and are of this one."""
        return False

    @classmethod
    @abstractmethod
    def suitable_moves(cls, event_shape: Sequence[int]) -> str:
        """Name the moves that leave such rows in their clusters, joined by +; or ``"none"``."""

    @classmethod
    @abstractmethod
    def augmentation(cls, data: Dataset, name: str) -> Compose | None:
        """Make the random change of raw training batches that has this name, None for ``"none"``.

        Raises:
            InputError: for a name that this kind of data does not have.
        """

    @classmethod
    @abstractmethod
    def suitable_start(
        cls, event_shape: Sequence[int], support: Support, *, taught: bool = False
    ) -> str:
        """Name the clustering that a training without a regulariser begins near."""

    @classmethod
    @abstractmethod
    def cluster_network(cls, *, regularized: bool) -> Literal["mlp", "conv"] | None:
        """Name the network of q(y|x); None is the one of the other encoders."""

    @classmethod
    @abstractmethod
    def describe(cls, event_shape: Sequence[int]) -> str:
        """Describe rows of this shape in messages."""

    # These methods bring rows from raw units to model scale and back.

    @property
    def model_shape(self) -> tuple[int, ...]:
        """Return the shape of one row on model scale, which may have more entries."""
        return self.event_shape

    def forward(
        self,
        raw: Shaped[Tensor, "*batch_event"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "*batch_model"]:
        """Encode rows as training sees them, shape ``(..., *event)`` to ``(..., *model_shape)``.

        A dynamic binarisation draws from ``generator``, or from the global one of the device.
        Nothing is read back to the host.
        """
        if self.binarize != "dynamic":
            return self.encode_mean(raw)
        x = self.scaled(raw)
        noise = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return (noise < x).to(x.dtype)

    def encode_mean(self, raw: Shaped[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_model"]:
        """Encode rows without a random draw, to infer their clusters and latents."""
        x = self.scaled(raw)
        return (x >= 0.5).to(x.dtype) if self.binarize == "static" else x

    def encode_scored(
        self, raw: Shaped[Tensor, "rows *event"], *, seed: int = 0
    ) -> Float[Tensor, "rows *model"]:
        """Encode rows to score their likelihood.

        Rows that training binarises dynamically are binarised by a draw, as in training. The draw
        depends on ``seed`` and the row's own values alone, so that a row has the same likelihood
        whatever other rows are beside it.
        """
        if self.binarize != "dynamic":
            return self.encode_mean(raw)
        x = self.scaled(raw)
        size = x[0].numel() if len(x) else 0
        noise = RowNoise(seed, row_keys(raw), size, stream=BINARIZED).draw(1, x)
        return (noise[0].view_as(x) < x).to(x.dtype)

    def scaled(self, raw: Shaped[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_model"]:
        """Bring rows to model scale before any binarisation, as pictures show them."""
        return ((raw.to(self.shift.dtype) - self.shift) / self.scale).to(self.scale.dtype)

    def decode(self, x: Float[Tensor, "*batch_model"]) -> Float[Tensor, "*batch_event"]:
        """Bring rows ``(..., *model_shape)`` on model scale to raw units, as floats, unrounded."""
        return x * self.scale + self.shift

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Return the names of a row's features, or None where they have none."""
        return None

    @property
    def model_names(self) -> tuple[str, ...] | None:
        """Return a name for each entry of a row on model scale, or None where they have none."""
        return self.feature_names

    def as_given(self, raw: Float[Tensor, "rows *event"]) -> Any:
        """Return rows in raw units in the form in which users have theirs: here as an array."""
        return raw.double().numpy()

    def move(self, name: str, rows: Shaped[Tensor, "rows *event"]) -> Transformation:
        """Return the random change of rows on model scale that ``moves`` names.

        Args:
            name: one of ``moves``.
            rows: the training rows, in raw units, that a change may depend on.
        """
        return self.moves[name]()

    @property
    def takes_gaps(self) -> bool:
        """Return True if an entry of a row may be missing."""
        return False

    @property
    def takes_small_steps(self) -> bool:
        """Return True if a small change of each entry gives a row that may be."""
        return True

    @abstractmethod
    def log_abs_det(self, raw: Shaped[Tensor, "rows *event"]) -> Float[Tensor, " rows"]:
        """Return the log of the volume that model scale gives to one raw unit, in nats.

        Added to a row's log-density on model scale it gives the log-density in raw units.

        Args:
            raw: rows in raw units; the volume may depend on their cells.
        """

    @abstractmethod
    def conform(self, data: Dataset) -> Dataset:
        """Bring new rows to the columns or channels of the training rows.

        Raises:
            InputError: for rows that do not fit.
        """

    def _misfit(self, data: Dataset, more: str = "") -> InputError:
        return InputError(
            f"{data.name} has {data.kind.describe(data.event_shape)}, the model was trained on "
            f"{self.describe(self.event_shape)}: give it data like those it was trained on{more}"
        )

    def check(self, x: Shaped[Tensor, "rows *event"], support: Support, likelihood: str) -> None:
        """Refuse raw values that the likelihood does not take.

        Raises:
            InputError: naming the values.
        """

    def to_config(self) -> dict[str, Any]:
        """Return the structure as plain JSON; ``state_dict()`` holds the numbers."""
        return {
            "kind": self.kind,
            "event_shape": list(self.event_shape),
            "binarize": self.binarize,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Encoding:
        """Make an encoding of the stored structure, ready for ``load_state_dict``.

        Raises:
            InputError: if ``config`` is not what `to_config` writes.
        """
        return cls(*cls._structure(config))

    @classmethod
    def _structure(cls, config: Any) -> tuple[tuple[int, ...], Binarize]:
        """Check the event shape and the binarisation that `to_config` wrote."""
        try:
            shape = typed(tuple[int, ...], config.get("event_shape"), "event_shape")
            binarize = typed(Binarize, config.get("binarize"), "binarize")
            if min(shape, default=0) < 1 or len(shape) > MOST_AXES or prod(shape) > MOST_FEATURES:
                raise DamagedError(f"event_shape is {shortened(shape)}, which no row has")
        except DamagedError as error:
            raise InputError(
                f"The stored encoding is not one that this version writes ({error}): train again."
            ) from error
        return shape, binarize
