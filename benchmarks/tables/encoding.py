"""Turn a table of mixed columns into the arrays that classical methods take.

The kinds of the columns are told. Amounts are logarithms, numbers are standardised, levels are
codes, and a spike is two columns: whether the cell is the usual value, and the amount, which is
missing where it is. Our own model gets the data frame and does all of this itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

__all__ = ["Encoded", "Scale", "hidden"]

NUMBERS = ("real", "amount", "date", "spike")
LEVELS = ("category", "binary", "ordinal", "spike")


@dataclass(frozen=True)
class Encoded:
    """Hold a table as three blocks of columns.

    Attributes:
        numbers: standardised, NaN in gaps, shape ``(N, numbers)``.
        counts: raw, NaN in gaps, shape ``(N, counts)``.
        codes: of levels, -1 in gaps, shape ``(N, level columns)``.
        levels: the number of levels of each column of codes.
        count_scale: mean and deviation of log1p of each count, shapes ``(counts,)``.
        log_volume: of each row, shape ``(N,)``: what is added to a log density of ``numbers`` to
            have that of the raw cells, in nats.
    """

    numbers: np.ndarray
    counts: np.ndarray
    codes: np.ndarray
    levels: tuple[int, ...]
    count_scale: tuple[np.ndarray, np.ndarray]
    log_volume: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, index: np.ndarray) -> Encoded:
        """Take some rows."""
        arrays = ("numbers", "counts", "codes", "log_volume")
        return replace(self, **{name: getattr(self, name)[index] for name in arrays})

    @cached_property
    def offsets(self) -> np.ndarray:
        """Return where each column's levels begin in `one_hot`, and where the last ones end."""
        return np.concatenate([[0], np.cumsum(self.levels)]).astype(int)

    @cached_property
    def one_hot(self) -> np.ndarray:
        """Return the levels as zeros and ones, all zero in gaps."""
        rows, columns = np.nonzero(self.codes >= 0)
        made = np.zeros((len(self), self.offsets[-1]))
        made[rows, self.offsets[columns] + self.codes[rows, columns]] = 1
        return made

    @cached_property
    def standard_counts(self) -> np.ndarray:
        """Return log1p of the counts, standardised, NaN in gaps."""
        mean, deviation = self.count_scale
        return (np.log1p(self.counts) - mean) / deviation

    @cached_property
    def matrix(self) -> np.ndarray:
        """Return numbers, standardised counts and one-hot levels, NaN in gaps."""
        levels = self.one_hot.copy()
        for j, (start, end) in enumerate(zip(self.offsets, self.offsets[1:], strict=False)):
            levels[self.codes[:, j] < 0, start:end] = np.nan
        return np.concatenate([self.numbers, self.standard_counts, levels], 1)

    @cached_property
    def completed(self) -> np.ndarray:
        """Return `matrix` with each gap filled by its column's mean."""
        known = ~np.isnan(self.matrix)
        means = np.where(known, self.matrix, 0).sum(0) / np.maximum(known.sum(0), 1)
        return np.where(known, self.matrix, means)


@dataclass(frozen=True)
class Scale:
    """Encode tables by what was learned from one of them; make one by `Scale.of`."""

    kinds: Mapping[str, str]
    standard: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[str, ...]]
    usual: Mapping[str, float]
    count_scale: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, frame: pd.DataFrame, kinds: Mapping[str, str]) -> Scale:
        """Learn means, deviations, levels and usual values of the columns that ``kinds`` names."""
        standard, levels, usual = {}, {}, {}
        logs: list[np.ndarray] = []
        for name, kind in kinds.items():
            if kind == "spike":
                usual[name] = float(frame[name].mode().iloc[0])
            elif kind in LEVELS:
                levels[name] = tuple(sorted(_texts(frame[name]).dropna().unique()))
            if kind in NUMBERS:
                cells = _transformed(frame[name], kind, usual.get(name))
                standard[name] = (float(np.nanmean(cells)), float(np.nanstd(cells)) + 1e-9)
            if kind == "count":
                logs.append(np.log1p(frame[name].to_numpy(float)))
        scale = (
            np.array([np.nanmean(column) for column in logs]),
            np.array([np.nanstd(column) + 1e-6 for column in logs]),
        )
        return cls(kinds, standard, levels, usual, scale)

    def __call__(self, frame: pd.DataFrame) -> Encoded:
        """Encode a table with the same columns; unseen levels are gaps."""
        numbers, counts, codes, widths = [], [], [], []
        volume = np.zeros(len(frame))
        for name, kind in self.kinds.items():
            column = frame[name]
            if kind in NUMBERS:
                mean, deviation = self.standard[name]
                cells = _transformed(column, kind, self.usual.get(name))
                numbers.append((cells - mean) / deviation)
                slope = -np.log(deviation) - (np.abs(cells) if kind in ("amount", "spike") else 0)
                volume += np.where(np.isnan(cells), 0, slope)
            if kind == "count":
                counts.append(column.to_numpy(float))
            if kind == "spike":
                unusual = column.to_numpy(float) != self.usual[name]
                codes.append(np.where(column.isna(), -1, unusual.astype(int)))
                widths.append(2)
            elif kind in LEVELS:
                known = {level: code for code, level in enumerate(self.levels[name])}
                codes.append(_texts(column).map(known).fillna(-1).to_numpy(int))
                widths.append(len(known))
        n = len(frame)
        return Encoded(
            _block(numbers, n),
            _block(counts, n),
            _block(codes, n).astype(int),
            tuple(widths),
            self.count_scale,
            volume,
        )


def hidden(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Take a share of all cells out, at random."""
    return frame.mask(rng.random(frame.shape) < share)


def _transformed(column: pd.Series, kind: str, usual: float | None) -> np.ndarray:
    """Take the logarithm of amounts, with their sign; the usual value of a spike is missing."""
    if kind == "date" and not is_numeric_dtype(column):
        days = pd.to_datetime(column, dayfirst=True) - pd.Timestamp("1970-01-01")
        return np.asarray(days / pd.Timedelta(days=1))
    cells = column.to_numpy(float)
    if usual is not None:
        cells = np.where(cells == usual, np.nan, cells)
    return np.sign(cells) * np.log1p(np.abs(cells)) if kind in ("amount", "spike") else cells


def _texts(column: pd.Series) -> pd.Series:
    """Write levels as text; whole numbers are the same beside gaps, where pandas has floats."""
    if is_numeric_dtype(column):
        return column.map("{:g}".format, na_action="ignore").astype(object)
    return column.astype(object).map(str, na_action="ignore")


def _block(columns: list[np.ndarray], n: int) -> np.ndarray:
    return np.stack(columns, 1) if columns else np.zeros((n, 0))
