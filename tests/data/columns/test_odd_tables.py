"""What customers may have in a table: each is read as is right, or refused in one sentence."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas
import pytest

from pyro_gmvae.data import Dataset, from_frame
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.table_file import load_table
from pyro_gmvae.errors import InputError

ROWS = 60
RNG = np.random.default_rng(0)
SPEND = RNG.normal(size=ROWS).round(3)
MONEY = RNG.lognormal(3, 1, ROWS).round(2)


def some(*values: Any) -> list[Any]:
    """Each of these in turn, so that all of them are there."""
    return [values[i * 7 % len(values)] for i in RNG.permutation(ROWS)]


def whole(low: int, high: int) -> list[int]:
    return [int(v) for v in RNG.integers(low, high, ROWS)]


def days(form: str, first: str = "2020-01-01") -> list[str]:
    return [
        (date.fromisoformat(first) + timedelta(days=int(d))).strftime(form)
        for d in RNG.integers(0, 900, ROWS)
    ]


def outcome(read: Callable[[], Dataset]) -> tuple[Dataset | None, str]:
    """What was read, or else the error; no warning of a library reaches the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            data = read()
        except InputError as error:
            words = str(error)
            assert "\n" not in words and (": " in words or "; " in words) and len(words) < 400
            return None, words
    assert data.schema is not None
    # A run would store it like this.
    told = data.schema.to_config(), data.schema.left_out_config()
    assert Schema.from_config(*json.loads(json.dumps(told))) == data.schema
    assert not np.isinf(data.x.numpy()).any()
    return data, " | ".join(data.notes)


def check(read: Callable[[], Dataset], name: str, right: str, told: str) -> None:
    data, words = outcome(read)
    assert told in words, words
    if right == "refused":
        assert data is None
        return
    assert data is not None and data.schema is not None, words
    assert len(data) == ROWS
    kinds = {c.name: c.kind for c in data.schema.columns}
    assert kinds.get(name, "left out") == right, (kinds, data.schema.left_out)


# The cells of the column x of a file, what is right, and a part of what is said.
CELLS: dict[str, tuple[Sequence[Any], str, str]] = {
    "no cell": ([""] * ROWS, "left out", "x (no cell)"),
    "words for gaps alone": (some("n/a", "?", ""), "left out", "x (no cell)"),
    "one text in numbers": ([*SPEND[1:], "abc"], "refused", "row 59, line 61, holds 'abc'"),
    "one text in few numbers": ([*some(1, 2, 3)[1:], "abc"], "category", "such as 'abc'"),
    "a total": ([*MONEY[1:], "Total: 9"], "refused", "'Total: 9'"),
    "levels by case": (some("Gold", "gold", "tin"), "category", "'Gold', 'gold' in x differ in"),
    "levels by blanks": (some("gold", " gold ", "tin"), "binary", ""),
    "levels by blanks within": (some("a  b", "a b", "c"), "category", "differ in capitals"),
    "levels by unseen marks": (some("gold", "gold\u200b", "tin"), "category", "'gold\\u200b'"),
    "accents in two ways": (some("caf\u00e9", "cafe\u0301", "tea"), "binary", ""),
    "one other value": ([0] * (ROWS - 1) + [1], "binary", ""),
    "one other text": (["a"] * (ROWS - 1) + ["b"], "binary", ""),
    "dates in several forms": (
        some("2024-01-05", "05/01/2024", "5 Jan 2024"),
        "category",
        "dates that are not written alike",
    ),
    "many dates in two forms": (
        [*days("%d/%m/%Y")[:30], *days("%m-%d-%Y")[30:]],
        "left out",
        "dates that are not written alike",
    ),
    "dates before 1900": (days("%Y-%m-%d", "1820-01-01"), "date", ""),
    "dates of all time": (some("0001-01-01", "9999-12-31", "2020-01-01"), "date", ""),
    "dates of a database": (some("0000-00-00", "2020-01-01", "2021-04-05"), "date", "'0000-00-00'"),
    "a day that is none": ([*days("%Y-%m-%d")[1:], "2020-02-31"], "date", "'2020-02-31' in x is"),
    "days as numbers": (days("%Y%m%d"), "real", "look like dates"),
    "days or months first": (some("01/02/2020", "03/04/2020", "05/06/2020"), "date", "may have"),
    "times of a day": (some("10:30", "11:45", "23:59"), "category", ""),
    "zones of time": (some("2020-01-01T10:00+01:00", "2020-01-01T10:00-05:00"), "date", ""),
    "percentages and gaps": (some("12%", "", "13.5%", "17 %"), "real", "is read as 13.5"),
    "some percentages": (some("12%", "0.5", "7"), "category", "numbers that are not written alike"),
    "0, 1 and blank": (some("0", "1", ""), "binary", ""),
    "true, False and blank": (some("true", "False", ""), "binary", ""),
    "yes, no and unknown": (some("yes", "no", "unknown"), "category", ""),
    "yes and n/a": (some("yes", "n/a"), "binary", "'n/a' in x is taken for a level"),
    "a cross or blank": (some("x", ""), "left out", "one value besides gaps"),
    "truth in many words": (some("TRUE", "false", "1", "0"), "category", "numbers beside cells"),
    "identifiers": ([f"C{i:05}" for i in range(ROWS)], "left out", "60 different names"),
    "uuids": ([str(UUID(int=i * 7**40)) for i in range(ROWS)], "left out", "60 different names"),
    "long identifiers": ([10**20 + i * i for i in range(ROWS)], "left out", "different names"),
    "long identifiers and a gap": (["", *range(10**17, 10**17 + 59)], "left out", "different name"),
    "few long identifiers": (some(2**60, 2**60 + 1, 2**60 + 2), "category", "too long for numbers"),
    "postal codes": ([f"0{i}" for i in whole(1000, 1009)], "category", "begin with 0"),
    "months with a zero": ([f"{i:02}" for i in whole(1, 13)], "count", ""),
    "free text": ([f"they said it {i} times on day {i}" for i in range(ROWS)], "left out", "free"),
    "one value and gaps": (some("5", ""), "left out", "one value besides gaps"),
    "pictures": (some("😀", "😢"), "binary", ""),
    "line breaks": (some('"a\nb"', "c"), "binary", "hold line breaks"),
    "large counts": ([int(10**v) for v in RNG.uniform(0, 6, ROWS)], "amount", ""),
    "negative counts": (whole(-9, 20), "real", ""),
    "huge and tiny": (some("1e300", "1e-300", "-1e300", "3"), "real", ""),
    "too large": (some("1.5e308", "1", "2", "4"), "refused", "too large, beyond 1e+307, in x"),
    "infinite": ([*MONEY[1:], "-Infinity"], "refused", "1 cell that is infinite, in x (1): leave"),
    "units": ([f"{i} kg" for i in whole(1, 20)], "category", "leave the unit out"),
    "censored": ([*whole(1, 99)[3:], *[">100"] * 3], "refused", "row 57, line 59, holds '>100'"),
    "two decimal marks": (some('"1,5"', "2.5", '"3,25"'), "category", "not written alike"),
    "failed formulas": ([*MONEY[2:], "#DIV/0!", "#REF!"], "amount", "'#DIV/0!' in 1 cell of a col"),
    "a NUL byte in numbers": ([*whole(-3, 4)[1:], "-2\0"], "refused", "with a NUL byte, U+0000"),
    "a NUL byte in text": (["b\0", *some("a", "b")[1:]], "refused", "no text may hold"),
    "minus of typesetters": (some("1", "2", "\u22123"), "refused", "with MINUS SIGN, U+2212"),
    "accounts": (
        some("(5.00)", "3.00", "(2.50)", "1.25"),
        "real",
        "brackets for negative",
    ),
    "ranges": (some("0-9", "10-19", "20-29"), "category", ""),
    "versions": (some("1.0.2", "1.1.0", "2.0.0"), "category", ""),
    "stars": (some("*", "**", "***"), "category", ""),
    "plus and minus": (some("+", "-"), "binary", "'-' in x is taken for a level"),
    "negative zero": (some("-0", "0", "-0.0"), "left out", "the same value in every row"),
}


@pytest.mark.parametrize("case", CELLS)
def test_cells_of_a_file(case: str, tmp_path: Path) -> None:
    cells, right, told = CELLS[case]
    lines = [f"{a},{b}\n" for a, b in zip(SPEND, cells, strict=True)]
    path = tmp_path / "t.csv"
    path.write_text("spend,x\n" + "".join(lines), encoding="utf-8")
    check(lambda: load_table(path), "x", right, told)


class Colour(Enum):
    RED, BLUE = 1, 2


COLUMNS: dict[str, tuple[Any, str, str]] = {
    "numbers and text": (some(1, "a", 2.5, None), "category", "numbers beside cells such as 'a'"),
    "truth values and 0, 1": (some(True, 1, 0, False), "binary", ""),
    "dates and times": (
        some(date(2020, 1, 1), pandas.Timestamp("2021-01-01 10:00"), None),
        "date",
        "",
    ),
    "zones and none": (
        some(pandas.Timestamp("2021-01-01", tz="UTC"), pandas.Timestamp("2021-01-02")),
        "date",
        "",
    ),
    "times of a day": (some(time(10, 0), time(11, 0)), "binary", ""),
    "decimals": (some(Decimal("1.5"), Decimal("NaN"), Decimal("sNaN"), Decimal(2)), "binary", ""),
    "infinite decimals": (some(Decimal("Infinity"), Decimal(1), Decimal(2)), "refused", "infinite"),
    "fractions": (some(Fraction(1, 3), Fraction(2, 3)), "binary", ""),
    "whole numbers of 400 digits": (some(10**400, 1, 2), "refused", "infinite"),
    "whole numbers of 30 digits": ([10**30 + i for i in range(ROWS)], "left out", "60 different"),
    "complex numbers": (np.arange(ROWS) * 1j, "refused", "complex numbers in x: give real"),
    "lists": (some([1, 2], [3]), "refused", "in row 0 of x: give a number"),
    "sets": ([{1}] * ROWS, "refused", "{1} in row 0 of x"),
    "bytes": ([b"a"] * ROWS, "refused", "b'a' in row 0"),
    "enums": ([Colour.RED] * ROWS, "refused", "Colour.RED"),
    "gaps of all kinds": (some(pandas.NaT, None, pandas.NA, np.nan), "left out", "no cell"),
    "nullable whole numbers": (pandas.array(some(1, None, 7), "Int64"), "binary", ""),
    "nullable beyond 2^53": (pandas.array(some(2**53, 2**53 + 1), "Int64"), "binary", "too long"),
    "unsigned": (np.array(some(2**64 - 1, 5, 6), "uint64"), "ordinal", ""),
    "nullable truth values": (pandas.array(some(True, None, False), "boolean"), "binary", ""),
    "numbers as text": (pandas.array([*map(str, MONEY)], "string"), "amount", ""),
    "float16": (np.array(SPEND, "float16"), "real", ""),
    "long doubles": (np.array([np.longdouble("1e400"), *SPEND[1:]]), "refused", "infinite"),
    "categories that are unused": (
        pandas.Categorical(some("a", "b"), ["a", "b", "c"]),
        "binary",
        "",
    ),
    "one category": (pandas.Categorical(["a"] * ROWS, ["a", "b"]), "left out", "the same value"),
    "no category": (pandas.Categorical([None] * ROWS, ["a", "b"]), "left out", "no cell"),
    "ordered": (pandas.Categorical(some(*"sml"), [*"sml"], ordered=True), "ordinal", ""),
    "categories of dates": (pandas.Categorical(pandas.to_datetime(days("%Y-%m-%d"))), "date", ""),
    "categories with blanks": (pandas.Categorical(some("a", " a", "b")), "binary", ""),
    "intervals": (pandas.cut(SPEND, 4), "ordinal", ""),
    "dates with a zone": (
        pandas.to_datetime(days("%Y-%m-%d")).tz_localize("Asia/Tokyo"),
        "date",
        "",
    ),
    "dates of long ago": (some(date(1500, 1, 1), date(9999, 1, 1), None), "date", ""),
    "durations": (pandas.to_timedelta(whole(0, 10**6), "s"), "real", ""),
    "periods": (pandas.PeriodIndex([d[:7] for d in days("%Y-%m-%d")], freq="M"), "date", ""),
    "sparse": (pandas.arrays.SparseArray(np.where(SPEND > 0, MONEY, 0)), "amount", ""),
    "sparse truth values": (pandas.arrays.SparseArray(SPEND > 0), "binary", ""),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_of_a_frame(case: str) -> None:
    cells, right, told = COLUMNS[case]
    if isinstance(cells, list):
        cells = pandas.Series(cells, dtype=object)
    check(lambda: from_frame(pandas.DataFrame({"spend": SPEND, "x": cells})), "x", right, told)


def rows(*columns: Sequence[Any]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


# Whole files: the names of the columns that are used, or a part of the refusal.
FILES: dict[str, tuple[str, tuple[str, ...] | str]] = {
    "one name twice": ("a,a\n" + rows(SPEND, MONEY), ("a", "a.1")),
    "names that differ by case": ("a,A\n" + rows(SPEND, MONEY), ("a", "A")),
    "no names at the start": (",,a\n" + rows(SPEND, MONEY, SPEND * MONEY), "no name in its header"),
    "no name in the middle": ("a,,b\n" + rows(SPEND, MONEY, MONEY), "no name in its header"),
    "a picture as name": ("💰,b\n" + rows(SPEND, MONEY), ("💰", "b")),
    "a name of 5000 letters": ("n" * 5000 + ",b\n" + rows(SPEND, MONEY), ("n" * 5000, "b")),
    "a name of 70000 letters": ("n" * 70000 + ",b\n" + rows(SPEND, MONEY), "70,000 characters"),
    "a line break in a name": ('"a\nb",c\n' + rows(SPEND, MONEY), ("a\nb", "c")),
    "a NUL byte in a name": ("a\0,b\n" + rows(SPEND, MONEY), "a column is called 'a\\x00'"),
    "one row": ("a,b\n1,x\n", "has 1 row: give it 2 or more"),
    "two rows": ("a,b\n1,x\n2,y\n", ("a", "b")),
    "no rows": ("a,b\n", "has no rows"),
    "one column": ("a\n" + rows(SPEND), ("a",)),
    "one column of text": ("a\n" + rows(some("x", "y", "z")), ("a",)),
    "two rows again and again": ("a,b\n" + "1,x\n2,y\n" * 30, ("b",)),
    "all rows the same": ("a,b\n" + "1,x\n" * 30, "no column to cluster by"),
    "rows without a cell": ("a,b\n" + "1.5,x\n,\n2.5,x\n2.5,y\n" * 20, ("a", "b")),
    "a comment in the middle": ("a,b\n1,2\n# note\n3,4\n", "1 cell in line 3 and 2 in most"),
    "a quote that is not closed": ('a,b\n1,"x\n2,y\n', "a quote that is not closed"),
}


@pytest.mark.parametrize("case", FILES)
def test_whole_files(case: str, tmp_path: Path) -> None:
    text, right = FILES[case]
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    data, words = outcome(lambda: load_table(path))
    if isinstance(right, str):
        assert data is None and right in words
    else:
        assert data is not None and data.feature_names == right, words


FRAME = pandas.DataFrame({"a": SPEND, "b": MONEY})
FRAMES: dict[str, tuple[Any, dict[str, str], tuple[str, ...] | str]] = {
    "names of two levels": (
        FRAME.set_axis([("p", "q"), ("p", "r")], axis=1),
        {},
        ("('p', 'q')", "('p', 'r')"),
    ),
    "numbers as names": (FRAME.set_axis([0, 1], axis=1), {}, ("0", "1")),
    "1 and '1' as names": (FRAME.set_axis([1, "1"], axis=1), {}, "two columns called 1"),
    "one name twice": (FRAME.set_axis(["a", "a"], axis=1), {}, "two columns called a"),
    "an index that repeats": (FRAME.set_axis([0] * ROWS), {}, ("a", "b")),
    "a single column": (FRAME["a"], {}, "is a pandas.Series: give a data frame"),
    "no columns": (FRAME[[]], {}, "has no columns"),
    "no rows": (FRAME.head(0), {}, "has no rows"),
    "labels with gaps": (FRAME.assign(y=some("p", None)), {"label_column": "y"}, ("a", "b")),
    "labels of all types": (FRAME.assign(y=some(1, "p", None)), {"label_column": "y"}, ("a", "b")),
    "lists as labels": (
        FRAME.assign(y=[[1, 2]] * ROWS),
        {"label_column": "y"},
        "a label is [1, 2]",
    ),
    "a NUL byte in a label": (
        FRAME.assign(y=some("p\0", "q")),
        {"label_column": "y"},
        "a label is",
    ),
    "weights with gaps": (
        FRAME.assign(w=some(1, None)),
        {"weight_column": "w"},
        "has no weight",
    ),
    "weights as categories": (
        FRAME.assign(w=pandas.Categorical(some(1, 2))),
        {"weight_column": "w"},
        ("a", "b"),
    ),
    "weights as dates": (
        FRAME.assign(w=pandas.date_range("2020-01-01", periods=ROWS)),
        {"weight_column": "w"},
        "more than numbers in the weight column w",
    ),
}


@pytest.mark.parametrize("case", FRAMES)
def test_whole_frames(case: str) -> None:
    frame, options, right = FRAMES[case]
    data, words = outcome(lambda: from_frame(frame, **options))
    if isinstance(right, str):
        assert data is None and right in words
    else:
        assert data is not None and data.feature_names == right, words


def test_more_levels_than_a_run_holds_are_refused() -> None:
    levels = pandas.Categorical([f"name {i}" for i in range(100_001)])
    frame = pandas.DataFrame({"a": np.arange(100_001) ** 0.5, "b": levels})
    with pytest.raises(InputError, match="100001 different cells in the column b, more than"):
        from_frame(frame)
