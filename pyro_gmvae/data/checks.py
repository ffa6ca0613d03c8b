"""What a table of numbers must be before a model may see it."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from pyro_gmvae.errors import InputError

# A model is fitted to data that vary; a fitted one may be applied to a single row.
Purpose = Literal["fit", "apply"]


def listed(names: Iterable[object], limit: int = 5) -> str:
    """`a, b, c`, cut after `limit` names."""
    every = [str(name) for name in names]
    rest = len(every) - limit
    return ", ".join(every[:limit]) + (f" and {rest} more" if rest > 0 else "")


def check_rows(count: int, name: str, purpose: Purpose) -> None:
    """Raises InputError unless there are enough rows: 2 to fit, 1 to apply."""
    least = 2 if purpose == "fit" else 1
    if count < least:
        raise InputError(
            f"{name} has {count or 'no'} row{'s' * (count != 1)}: give it {least} or more."
        )


def table_tensor(
    values: np.ndarray, columns: Sequence[str] | None, name: str, purpose: Purpose
) -> Float64[Tensor, "rows features"]:
    """Turns checked numbers `(N, D)` into a float64 tensor in the same units.

    Raises:
        InputError: for too few rows, no columns, cells that are NaN, infinite or beyond float32,
            and, when fitting, constant columns.
    """
    check_rows(len(values), name, purpose)
    if values.shape[1] == 0:
        raise InputError(f"{name} has no columns: give it at least one column of numbers.")
    columns = [f"column {i}" for i in range(values.shape[1])] if columns is None else columns
    table = values.astype(np.float64)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is reported
        bad = ~np.isfinite(table.astype(np.float32))
    if bad.any():
        counts = bad.sum(0)
        found = listed(f"{columns[i]} ({counts[i]})" for i in np.flatnonzero(counts).tolist())
        raise InputError(
            f"{name} has {bad.sum()} cells that are NaN or infinite, in {found}: missing values "
            "are not supported yet, so fill them or drop those rows or columns."
        )
    constant = np.flatnonzero(table.max(0) == table.min(0))
    if purpose == "fit" and len(constant):
        raise InputError(
            f"{name} has columns with the same value in every row, which say nothing about "
            f"clusters: drop {listed(columns[i] for i in constant.tolist())}."
        )
    return torch.from_numpy(table)
