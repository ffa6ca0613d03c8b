"""What a data set is once it is loaded."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from pyro_gmvae.errors import InputError


# eq=False: "equal" has no plain meaning for tensors, and comparing them elementwise would raise.
@dataclass(frozen=True, eq=False)
class Dataset:
    """Raw data in main memory, with labels where they are known.

    Attributes:
        name: what the data set is called in tables and pictures.
        x: `(N, C, H, W)` uint8 in 0..255 for images, `(N, D)` float64 in the table's own units.
        y: `(N,)` int64 class of each row, -1 where it is missing; None if there are no labels.
        kind: `"image"` or `"table"`.
        feature_names: names of the D columns of a table, if it has any.
        class_names: name of class 0, 1, ... of `y`, if known.
        given: `(N,)` int64 cluster of each row that is known beforehand, -1 where it is not, to be
            trained with; None if none is.
        groups: `(N,)` int64 number that rows which belong in one cluster share, -1 for those of
            which nothing is known; None if there are none.
        row_names: what each row is called, such as the file of an image, if it is called anything.
        places: `(N,)` int64 row of the source that each row was, of a part of it; None of a whole.

    Raises:
        InputError: if `y` does not have one label per row.
    """

    name: str
    x: Shaped[Tensor, "rows *event"]
    y: Int64[Tensor, "labels"] | None
    kind: Literal["image", "table"]
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    row_names: tuple[str, ...] | None = None
    given: Int64[Tensor, "labels"] | None = None
    groups: Int64[Tensor, "labels"] | None = None
    places: Int64[Tensor, "rows"] | None = None

    def __post_init__(self) -> None:
        if self.y is not None and len(self.y) != len(self.x):
            raise InputError(
                f"{self.name} has {len(self.x)} rows but {len(self.y)} labels: "
                "give one label per row, or leave the labels out."
            )

    def __len__(self) -> int:
        return len(self.x)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one datum: `(C, H, W)` or `(D,)`."""
        return tuple(self.x.shape[1:])

    def subset(self, index: Shaped[Tensor, "chosen"]) -> "Dataset":
        """The rows that `index` (int64 positions, or a bool mask of N) picks, in its order."""
        rows = torch.arange(len(self))[index]
        names = self.row_names
        return replace(
            self,
            x=self.x[rows],
            y=None if self.y is None else self.y[rows],
            given=None if self.given is None else self.given[rows],
            groups=None if self.groups is None else self.groups[rows],
            row_names=None if names is None else tuple(names[i] for i in rows.tolist()),
            places=rows if self.places is None else self.places[rows],
        )


@dataclass(frozen=True, eq=False)
class Splits:
    """Disjoint parts of one data set; a part whose fraction is 0 has no rows."""

    train: Dataset
    validation: Dataset
    test: Dataset
