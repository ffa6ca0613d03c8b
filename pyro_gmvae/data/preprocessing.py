"""From raw units to the scale that a model sees, and back."""

from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from pyro_gmvae.errors import InputError

Kind = Literal["image", "table"]
Binarize = Literal["dynamic", "static", "none"]


class Preprocessor(nn.Module):
    r"""The map from raw data to model scale.

    .. math:: x = (\mathrm{raw} - \mathrm{shift}) / \mathrm{scale}

    and, for images, a binarisation of it. `shift` and `scale` are buffers: they go with the module
    to a device and into its `state_dict`; `to_config` holds the rest. A table's shift is taken off
    in float64, for a column may vary little about a large number, as the times of a day do about
    the seconds since 1970; model scale is of the type of `scale`, float32 at first.

    Args:
        kind: `"image"` (one shift and scale for all pixels) or `"table"` (one for each column).
        event_shape: shape of one raw datum, `(C, H, W)` or `(D,)`.
        binarize: `"dynamic"` draws each pixel anew from Bernoulli(x) at every call, `"static"` sets
            it to 1 where x is at least 1/2, `"none"` leaves grey levels.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        kind: Kind,
        event_shape: tuple[int, ...],
        binarize: Binarize = "none",
    ) -> None:
        super().__init__()
        self.kind = kind
        self.event_shape = event_shape
        self.binarize = binarize
        size = event_shape if kind == "table" else ()
        exact = torch.float64 if kind == "table" else None
        self.register_buffer("shift", torch.zeros(size, dtype=exact))
        self.register_buffer("scale", torch.ones(size))

    @classmethod
    def for_images(
        cls, event_shape: tuple[int, ...], binarize: Binarize = "none"
    ) -> "Preprocessor":
        """For uint8 images: 0..255 to [0, 1]."""
        made = cls("image", event_shape, binarize)
        made.scale.fill_(255.0)
        return made

    @classmethod
    def standardize(cls, x: Shaped[Tensor, "rows features"]) -> "Preprocessor":
        """For tables: every column of `x` (the training rows) gets mean 0 and variance 1.

        A column that is constant in `x` is only shifted.
        """
        made = cls("table", tuple(x.shape[1:]))
        double = x.double()
        scale = double.std(0, correction=0)
        # A constant column leaves a rounding error for a deviation, so the range is asked.
        constant = double.amax(0) == double.amin(0)
        made.shift.copy_(double.mean(0))
        made.scale.copy_(scale.masked_fill(constant, 1.0))
        return made

    @classmethod
    def identity(cls, event_shape: tuple[int, ...]) -> "Preprocessor":
        """For data that are on model scale already."""
        return cls("image" if len(event_shape) == 3 else "table", event_shape)

    def forward(
        self,
        raw: Shaped[Tensor, "*batch_event"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "*batch_event"]:
        """Model scale of `raw` `(..., *event)`; a dynamic binarisation draws from `generator`.

        Without a generator it draws from the global one of the device. Nothing is read back to the
        host.
        """
        x = self.mean_input(raw)
        if self.binarize == "dynamic":
            noise = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
            return (noise < x).to(x.dtype)
        if self.binarize == "static":
            return (x >= 0.5).to(x.dtype)
        return x

    def mean_input(self, raw: Shaped[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_event"]:
        """Model scale of `raw` before any binarisation: what pictures show."""
        return ((raw.to(self.shift.dtype) - self.shift) / self.scale).to(self.scale.dtype)

    def inverse(self, x: Float[Tensor, "*batch_event"]) -> Float[Tensor, "*batch_event"]:
        """Raw units (as floats, unrounded) of `x` `(..., *event)` on model scale."""
        return x * self.scale + self.shift

    def log_abs_det(self) -> Float[Tensor, ""]:
        """Log of the volume that model scale gives to one raw unit, in nats per datum.

        Added to a log-density on model scale it gives the log-density in the table's raw units. It
        is 0 for images, whose densities are by convention those of grey levels on [0, 1].
        """
        if self.kind == "image":
            return self.scale.new_zeros(())
        return -self.scale.log().sum()

    def to_config(self) -> dict[str, Any]:
        """The structure as plain JSON; the numbers are in `state_dict()`."""
        return {
            "kind": self.kind,
            "event_shape": list(self.event_shape),
            "binarize": self.binarize,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Preprocessor":
        """An identity of the stored structure, ready for `load_state_dict`.

        Raises:
            InputError: if `config` is not what `to_config` writes.
        """
        kind: Any = config.get("kind")
        binarize: Any = config.get("binarize")
        shape: Any = config.get("event_shape")
        if (
            kind not in get_args(Kind)
            or binarize not in get_args(Binarize)
            or not isinstance(shape, list)
            or not all(type(size) is int and size > 0 for size in shape)
        ):
            raise InputError(
                f"The stored preprocessing {config} is not one that this version writes: "
                "train again."
            )
        return cls(kind, tuple(shape), binarize)
