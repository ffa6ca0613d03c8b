"""Dates as people write them."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest

from pyro_gmvae.data.columns.dates import parse_dates, recognise_dates, timestamps

DAYS = [date(2013, 8, 21), date(1999, 12, 1), date(2024, 2, 29)]
TIMES = [datetime(2013, 8, 21, 17, 30), datetime(1999, 12, 1, 0, 5), datetime(2024, 2, 29, 12)]
FORMS = ["%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%y"]
FORMS += ["%d %b %Y", "%d-%b-%y", "%B %d, %Y", "%b %d %Y", "%d. %B %Y"]
CLOCKS = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p"]


@pytest.mark.parametrize("form", FORMS)
def test_days_are_read_as_they_are_written(form: str) -> None:
    found = recognise_dates([day.strftime(form) for day in DAYS])
    assert found is not None and not found.ambiguous
    days = parse_dates([day.strftime(form) for day in DAYS], found.format)
    assert days.tolist() == [(day - date(1970, 1, 1)).days for day in DAYS]
    again = timestamps(days + 0.3, found.format)
    assert [t.item().date() for t in again] == DAYS


@pytest.mark.parametrize("form", CLOCKS)
def test_times_are_read_as_they_are_written(form: str) -> None:
    found = recognise_dates([time.strftime(form) for time in TIMES])
    assert found is not None
    days = parse_dates([time.strftime(form) for time in TIMES], found.format)
    assert [t.item() for t in timestamps(days, found.format)] == TIMES


@pytest.mark.parametrize(
    "words", [["1.5", "2.5"], ["2020", "2021"], ["a", "b"], ["10:20", "555-1234"], []]
)
def test_other_text_is_no_date(words: list[str]) -> None:
    assert recognise_dates(words) is None


def test_the_cells_decide_whether_the_day_comes_first() -> None:
    month_first = recognise_dates(["01/02/2024", "01/31/2024"])
    day_first = recognise_dates(["01/02/2024", "31/01/2024"])
    open_ = recognise_dates(["01/02/2024", "03/04/2024"])
    assert month_first == ("%m/%d/%Y", False) and day_first == ("%d/%m/%Y", False)
    assert open_ == ("%d/%m/%Y", True)


def test_few_cells_that_are_no_dates_are_gaps() -> None:
    names = [f"2024-01-{d:02}" for d in range(1, 29)] + ["0000-00-00"]
    found = recognise_dates(names)
    assert found is not None
    assert np.isnan(parse_dates(names, found.format)).tolist() == [False] * 28 + [True]
