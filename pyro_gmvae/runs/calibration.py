"""Keep the calibration of a run among its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.files.tensors import TensorForm
from pyro_gmvae.ranges import MOST_DRAWS, MOST_ROWS
from pyro_gmvae.stored import DamagedError, typed

__all__ = ["CalibrationForm", "calibration_tensors"]

PREFIX = "calibration/"


@dataclass(frozen=True)
class CalibrationForm:
    """Say how large a calibration is, in the configuration of a run.

    Attributes:
        rows: held-out rows.
        columns: columns with gaps, or 0.
        num_samples: importance samples behind each log p(x).

    Raises:
        DamagedError: for numbers out of range.

    >>> CalibrationForm(rows=50, columns=0, num_samples=100).forms["calibration/log_p"]
    TensorForm(shape=(50,), dtype='F64')
    """

    rows: int
    columns: int
    num_samples: int

    def __post_init__(self) -> None:
        sizes = 0 < self.rows <= MOST_ROWS and 0 <= self.columns <= MOST_ROWS
        if not (sizes and 0 < self.num_samples <= MOST_DRAWS):
            raise DamagedError("the calibration has a size out of range")

    @classmethod
    def of(cls, calibration: Calibration) -> CalibrationForm:
        """Describe a calibration."""
        return cls(len(calibration), len(calibration.cell_log_p), calibration.num_samples)

    @classmethod
    def from_config(cls, stored: Any) -> CalibrationForm | None:
        """Read what `to_config` gave; None for a run without a calibration.

        Raises:
            DamagedError: for other names or types.
        """
        return None if stored is None else typed(cls, stored, "calibration")

    def to_config(self) -> dict[str, int]:
        """Return plain JSON values."""
        return asdict(self)

    @property
    def forms(self) -> dict[str, TensorForm]:
        """Return the forms of the tensors in the file, by their names."""
        shapes = {"log_p": self.rows, "certainty": self.rows, "cell_log_p": self.columns}
        return {PREFIX + name: TensorForm((size,), "F64") for name, size in shapes.items()}

    def read(self, tensors: Mapping[str, Tensor]) -> Calibration:
        """Rebuild the calibration from tensors of these forms.

        Raises:
            DamagedError: for certainties that are no probabilities.
        """
        log_p, certainty, cell_log_p = (tensors[name] for name in self.forms)
        if not ((certainty > 0) & (certainty < 1 + 1e-3)).all():
            raise DamagedError("the calibration has certainties that are no probabilities")
        return Calibration(log_p, certainty, cell_log_p, self.num_samples)


def calibration_tensors(calibration: Calibration | None) -> dict[str, Tensor]:
    """Return the numbers of a calibration by their names in the file.

    >>> one = torch.ones(1, dtype=torch.float64)
    >>> list(calibration_tensors(Calibration(one, one, one[:0], num_samples=100)))
    ['calibration/log_p', 'calibration/certainty', 'calibration/cell_log_p']
    """
    if calibration is None:
        return {}
    numbers = (calibration.log_p, calibration.certainty, calibration.cell_log_p)
    names = CalibrationForm.of(calibration).forms
    return {name: t.to(torch.float64) for name, t in zip(names, numbers, strict=True)}
