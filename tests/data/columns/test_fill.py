"""Filled cells are like the others of their column, whatever its type."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas
import pytest

from pyro_gmvae.data import from_frame
from pyro_gmvae.data.columns.cells import frame_of
from pyro_gmvae.data.columns.fill import fill_gaps

FIRST, SECOND = pandas.Timestamp("2020-01-05"), pandas.Timestamp("2021-04-01 10:30")
COLUMNS = {
    "text": pandas.Series(["b", None, "a"], dtype="str"),
    "objects of text": pandas.Series(["b", None, "a"], dtype=object),
    "categories": pandas.Series(pandas.Categorical(["s", None, "m"], ["s", "m", "xl"])),
    "ordered": pandas.Series(pandas.Categorical(["s", None, "m"], ["s", "m"], ordered=True)),
    "categories of numbers": pandas.Series(pandas.Categorical([1, None, 2])),
    "categories of truth values": pandas.Series(pandas.Categorical([True, None, False])),
    "intervals": pandas.Series(pandas.cut([0.5, np.nan, 2.5], [0, 1, 2, 3])),
    "truth values": pandas.Series([True, None, False], dtype="boolean"),
    "dates": pandas.Series([FIRST, None, SECOND]),
    "dates with a zone": pandas.Series([FIRST, None, SECOND]).dt.tz_localize("Asia/Tokyo"),
    "months": pandas.Series(pandas.PeriodIndex(["2020-01", None, "2021-03"], freq="M")),
    "durations": pandas.Series(pandas.to_timedelta([1.5, None, 3], "D")),
    "numbers": pandas.Series([1.5, None, 3.0]),
}


def filled(column: Any) -> Any:
    """The column with its gap filled by what the model knows of the first row."""
    frame = pandas.DataFrame({"x": column})
    data = from_frame(frame)
    assert data.schema is not None
    raw = data.x.numpy()
    made = frame_of(data.schema, np.where(np.isnan(raw), raw[0], raw))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fill_gaps(frame, {"x": np.isnan(raw[:, 0])}, made)["x"]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_filled_cell_is_like_the_others(name: str) -> None:
    column: Any = COLUMNS[name]
    found = filled(column)
    assert found.dtype == column.dtype
    assert found.tolist() == [column[0], column[0], column[2]]


def test_categories_of_dates_become_dates() -> None:
    found = filled(pandas.Series(pandas.Categorical([FIRST, None, SECOND])))
    assert found.dtype.kind == "M" and found.tolist() == [FIRST, FIRST, SECOND]


def test_a_column_without_a_known_cell_has_the_type_of_what_fills_it() -> None:
    frame = pandas.DataFrame({"x": pandas.Series([None, None], dtype=object)})
    made = pandas.DataFrame({"x": pandas.to_datetime(["2024-01-31", "2024-02-01"])})
    found = fill_gaps(frame, {"x": np.array([True, True])}, made)["x"]
    assert found.dtype == made["x"].dtype and found.tolist() == made["x"].tolist()
