"""What columns are taken for, on generated columns whose meaning is known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas
import pytest

from pyro_gmvae.data import from_frame
from pyro_gmvae.data.schema import Column

ROWS = 400
RNG = np.random.default_rng(0)
SPEND = RNG.normal(size=ROWS)
GAIN = np.where(RNG.random(ROWS) < 0.8, 0.0, RNG.lognormal(7, 1, ROWS).round(2))


def described(values: Any, name: str = "x") -> Column | str:
    """The column, or why it is left out."""
    schema = from_frame(pandas.DataFrame({"spend": SPEND, name: values})).schema
    assert schema is not None
    found = [c for c in schema.columns if c.name == name]
    return found[0] if found else schema.left_out[0].why


def some(values: list[Any]) -> np.ndarray:
    return np.array(values, dtype=object)[RNG.integers(len(values), size=ROWS)]


@pytest.mark.parametrize(
    ("kind", "values", "name"),
    [
        ("real", RNG.normal(size=ROWS), "x"),
        ("real", RNG.integers(17, 90, ROWS), "age"),
        ("real", RNG.normal(size=ROWS).astype(str), "x"),
        ("amount", RNG.lognormal(3, 1, ROWS), "x"),
        # All differ, as amounts do in a small table.
        ("amount", RNG.permutation(np.unique(RNG.lognormal(9, 1, 4 * ROWS).round()))[:ROWS], "x"),
        ("amount", RNG.standard_cauchy(ROWS), "balance"),
        ("count", RNG.poisson(8, ROWS), "visits"),
        ("ordinal", RNG.integers(0, 4, ROWS), "children"),
        ("ordinal", RNG.integers(1, 6, ROWS).astype(float), "stars"),
        ("binary", RNG.integers(0, 2, ROWS), "x"),
        ("binary", RNG.integers(1, 3, ROWS), "channel"),
        ("binary", RNG.random(ROWS) < 0.1, "x"),
        ("binary", some(["yes", "no"]), "x"),
        ("binary", some([True, False, None]), "x"),
        ("category", some(["a", "b", "c", None]), "x"),
        ("category", pandas.Categorical(some(["a", "b", "c"])), "x"),
        ("ordinal", pandas.Categorical(some(["s", "m", "l"]), ["s", "m", "l"], ordered=True), "x"),
        ("category", some([f"city {i}" for i in range(40)]), "x"),
        ("category", some(["0", "1", "2", "4+"]), "years"),
        ("date", RNG.integers(1940, 2000, ROWS), "year_of_birth"),
        ("real", RNG.integers(1940, 2000, ROWS), "steps"),
        (
            "date",
            pandas.Timestamp("2024-01-01") + pandas.to_timedelta(RNG.normal(size=ROWS), unit="D"),
            "x",
        ),
        ("date", some([f"2024-{m:02}-{d:02}" for m in range(1, 13) for d in range(1, 29)]), "x"),
        ("spike", GAIN, "gain"),
        ("spike", np.where(GAIN == 0, -1, GAIN), "since"),
    ],
)
def test_kind_of_a_column(kind: str, values: Any, name: str) -> None:
    found = described(values, name)
    assert isinstance(found, Column), found
    assert found.kind == kind and found.why


@pytest.mark.parametrize(
    ("why", "values", "name"),
    [
        ("equal steps", np.arange(ROWS) * 7, "x"),
        ("name of an identifier", RNG.permutation(10**7)[:ROWS], "customer_id"),
        ("chance would repeat", RNG.permutation(5000)[:ROWS], "x"),
        ("in order", np.cumsum(RNG.integers(1, 10**6, ROWS)), "x"),
        ("400 different names", [f"user{i}@x.org" for i in range(ROWS)], "x"),
        ("free text", [f"went to the shop at {i} past ten" for i in range(ROWS)], "x"),
        ("no cell", [None] * ROWS, "x"),
        ("no cell", np.full(ROWS, np.nan), "x"),
        ("the same value", ["FR"] * ROWS, "x"),
        ("one value besides gaps", some(["FR", None]), "x"),
        ("another unit", 2.5 * SPEND + 3, "x"),
    ],
)
def test_why_a_column_is_left_out(why: str, values: Any, name: str) -> None:
    found = described(values, name)
    assert isinstance(found, str) and why in found


def test_few_rows_are_numbers() -> None:
    data = from_frame(pandas.DataFrame({"a": [31, 45, 28], "b": [1, 1, 2], "c": [0, 1, 1]}))
    assert data.schema is not None
    assert [c.kind for c in data.schema.columns] == ["real", "real", "binary"]


def test_words_for_gaps_in_text() -> None:
    found = described(some(["a", "b", "?", "N/A"]))
    assert isinstance(found, Column) and found.levels == ("a", "b") and 0.3 < found.gaps < 0.7
    for levels in (["+", "-"], ["DE", "NA", "US"], ["NA", "yes"]):
        found = described(some(levels))
        assert isinstance(found, Column) and found.levels == tuple(sorted(levels))


def test_weights_cap_what_a_column_may_tell() -> None:
    wide, narrow = described(some([f"c{i}" for i in range(30)])), described(some(["a", "b", "c"]))
    assert isinstance(wide, Column) and isinstance(narrow, Column)
    assert narrow.weight == 1
    assert wide.weight == pytest.approx(2 / np.log(30), abs=0.03)


def test_columns_that_tell_one_another() -> None:
    city = RNG.integers(0, 20, ROWS)
    frame = pandas.DataFrame(
        {
            "region": np.array(["north", "south", "east"])[city % 3],
            "city": [f"city {c}" for c in city],
            "code": 100 - 3 * city,
            "spend": SPEND,
            "noise": some(["a", "b", "c"]),
        }
    )
    schema = from_frame(frame).schema
    assert schema is not None and schema.names == ("city", "spend", "noise")
    assert {(c.name, c.why) for c in schema.left_out} == {
        ("region", "told by city"),
        ("code", "the same as city"),
    }
    frame.loc[::50, "region"] = "west"  # not quite a function of the city any more
    schema = from_frame(frame).schema
    assert schema is not None and "region" in (schema.names or ())


def test_gaps_and_dates_of_python_objects() -> None:
    frame = pandas.DataFrame(
        {
            "price": [Decimal("1.25"), None, Decimal("3")],
            "day": [date(1970, 1, 2), None, date(1970, 1, 11)],
            "when": pandas.to_datetime(["1970-01-02 12:00", None, "1970-01-04 00:00"], utc=True),
            "took": pandas.to_timedelta(["12h", "36h", None]),
            "ok": [True, None, False],
            "mixed": [1, "b", None],
        }
    )
    data = from_frame(frame, purpose="apply")
    expected = [
        [1.25, 1, 1.5, 0.5, 1, 0],
        [np.nan, np.nan, np.nan, 1.5, np.nan, 1],
        [3, 10, 3, np.nan, 0, np.nan],
    ]
    np.testing.assert_array_equal(data.x.numpy(), expected)
    assert data.schema is not None
    assert [c.cells for c in data.schema.columns] == [
        *("number", "date", "date", "number", "boolean", "text"),
    ]
