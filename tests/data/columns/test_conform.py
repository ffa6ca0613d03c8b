"""New rows are brought to the columns of training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from pyro_gmvae.data import Dataset, TableEncoding, from_array, from_frame
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError

ROWS = 120
RNG = np.random.default_rng(2)
FRAME = pandas.DataFrame(
    {
        "age": RNG.normal(40, 9, ROWS),
        "tier": RNG.choice(["gold", "silver"], ROWS),
        "zip": RNG.choice(["01", "02", "x3"], ROWS),
        "since": [f"{1 + i % 28}/{1 + i % 12}/2023" for i in range(ROWS)],
        "member": RNG.random(ROWS) < 0.5,
        "rooms": RNG.choice([1, 2, 5], ROWS),
        "visits": np.r_[RNG.poisson(6, ROWS - 2), 0, 14],
        "id": np.arange(ROWS),
    }
)
DATA = from_frame(FRAME)
ENCODING = TableEncoding.fit(DATA, "mixed")
NAMES = list(DATA.feature_names or ())


def conform(frame: pandas.DataFrame, *warned: str) -> Dataset:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = ENCODING.conform(from_frame(frame, name="new", purpose="apply"))
    told = [str(w.message) for w in caught if w.category is DataWarning]
    assert len(told) == bool(warned)
    assert all(word in told[0] for word in warned), told
    return found


def same(found: Dataset, rows: int = ROWS) -> bool:
    return torch.equal(found.x.nan_to_num(-9), DATA.x[:rows].nan_to_num(-9))


def test_kinds_of_the_training_rows() -> None:
    assert DATA.schema is not None
    assert [c.kind for c in DATA.schema.columns] == [
        *("real", "binary", "category", "date", "binary", "ordinal", "count"),
    ]


def test_the_training_rows_are_what_they_were() -> None:
    assert same(conform(FRAME)) and same(conform(FRAME.iloc[:1]), 1)
    assert ENCODING.conform(DATA) is DATA


def test_columns_are_found_in_any_order() -> None:
    mixed = FRAME[["visits", *[n for n in FRAME if n != "visits"]]].assign(colour="red")
    found = conform(mixed)
    assert same(found) and found.feature_names == tuple(NAMES)
    assert found.notes == (
        "left out as in training: id",
        "left out, for training did not have them: colour",
    )


def test_a_missing_column_is_a_gap_and_told() -> None:
    found = conform(FRAME.drop(columns=["tier", "age"]), "no column age, tier")
    assert found.x[:, [NAMES.index("age"), NAMES.index("tier")]].isnan().all()
    with pytest.raises(InputError, match="lacks the column 'age'"):
        conform(pandas.DataFrame({"id": [1], "other": [2]}))


def test_unseen_levels_are_gaps_with_one_warning() -> None:
    new = FRAME.iloc[:3].assign(tier=["bronze", "gold", "NA"], rooms=[1, 3, 5])
    found = conform(new, "'bronze' in tier", "'3' in rooms")
    tiers = found.x[:, NAMES.index("tier")].tolist()
    assert tiers == pytest.approx([np.nan, 0, np.nan], nan_ok=True)
    assert found.x[:, NAMES.index("rooms")].tolist() == pytest.approx([1, np.nan, 5], nan_ok=True)


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("age", ["31.5", "NA", "40"], [31.5, np.nan, 40]),
        ("age", [None, None, None], [np.nan] * 3),
        ("tier", [None, None, "gold"], [np.nan, np.nan, 0]),
        ("zip", [1, 2, 1], [0, 1, 0]),  # as text without a letter is read
        ("since", ["31/1/2024", "2024-01-31", None], [19753, 19753, np.nan]),
        ("since", pandas.to_datetime(["2024-01-31"] * 3), [19753] * 3),
        ("member", ["yes", "no", "True"], [1, 0, 1]),
        ("member", [1, 0, None], [1, 0, np.nan]),
        ("visits", [3.0, None, 90], [3, np.nan, 90]),
    ],
)
def test_cells_written_in_another_way(name: str, cells: Any, expected: list[float]) -> None:
    found = conform(FRAME.iloc[:3].assign(**{name: cells}))
    assert found.x[:, NAMES.index(name)].tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        (
            "age",
            ["31", "old", "40"],
            "new holds 'old' in row 1 of age, where the model knows a num",
        ),
        ("age", pandas.to_datetime(["2024-01-31"] * 3), "holds a date in row 0 of age"),
        ("visits", [1, 2, 2.5], "holds 2.5 in row 2 of visits, where the model knows a count"),
        ("visits", [1, -2, 3], "holds -2 in row 1 of visits"),
        ("since", [1, 2, 3], "holds 1 in row 0 of since, where the model knows a date"),
    ],
)
def test_cells_of_another_kind_are_refused(name: str, cells: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        conform(FRAME.iloc[:3].assign(**{name: cells}))


def test_an_array_holds_raw_units() -> None:
    found = ENCODING.conform(from_array(DATA.x.numpy(), purpose="apply"))
    assert same(found)
    odd = DATA.x[:2].clone()
    odd[1, NAMES.index("tier")] = 7
    with pytest.warns(DataWarning, match="'7' in tier"):
        found = ENCODING.conform(from_array(odd, purpose="apply"))
    assert found.x[1, NAMES.index("tier")].isnan()
    with pytest.raises(InputError, match="array has 3 columns, the model was trained on 7 columns"):
        ENCODING.conform(from_array(np.eye(3), purpose="apply"))


def test_empty_rows_are_rows() -> None:
    found = conform(FRAME.iloc[:2].mask(np.ones((2, 8), dtype=bool)))
    assert found.x.isnan().all() and ENCODING(found.x).isnan().all()


def test_dates_that_another_program_wrote() -> None:
    since = pandas.to_datetime(FRAME["since"], format="%d/%m/%Y")
    for form in ("%Y-%m-%d", "%m-%d-%Y", "%d %b %Y"):
        assert same(conform(FRAME.assign(since=since.dt.strftime(form))))
    # No cell of these tells whether the day comes first.
    conform(FRAME.assign(since="03-04-2023"), "'03-04-2023' in since")


def test_long_codes_are_not_mixed_up_as_numbers() -> None:
    codes = [2**60, 2**60 + 1, 2**61]  # the first two are one number in float64
    data = from_frame(pandas.DataFrame({"account": codes * 20}))
    encoding = TableEncoding.fit(data, "mixed")
    with pytest.warns(DataWarning, match="in account"):
        new = encoding.conform(
            from_frame(pandas.DataFrame({"account": [2**60, 2**61]}), purpose="apply")
        )
    assert new.x[:, 0].isnan().tolist() == [True, False] and new.x[1, 0] == 2
