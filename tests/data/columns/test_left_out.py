"""Columns that say nothing about clusters."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from pyro_gmvae.data import from_frame, load
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError

RNG = np.random.default_rng(0)
ROWS = 20
SPEND = RNG.normal(size=ROWS)


def frame(**columns: object) -> pandas.DataFrame:
    return pandas.DataFrame({"spend": SPEND, **columns})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("customer_id", RNG.permutation(1000)[:ROWS]),
        ("CustomerID", RNG.permutation(1000)[:ROWS]),
        ("id", RNG.permutation(1000)[:ROWS]),
        ("Unnamed: 0", RNG.permutation(1000)[:ROWS]),
        ("anything", np.arange(ROWS)),
        ("stepped", 100_000 + 17 * np.arange(ROWS)),
        ("country", np.ones(ROWS)),
    ],
)
def test_is_left_out_and_told(name: str, values: np.ndarray) -> None:
    data = from_frame(frame(**{name: values}))
    assert data.feature_names == ("spend",) and [c.name for c in data.schema.left_out] == [name]
    assert len(data.notes) == 1 and name in data.notes[0] and "left out" in data.notes[0]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paid", RNG.permutation(1000)[:ROWS]),
        ("humid", RNG.permutation(1000)[:ROWS]),
        ("customer_id", RNG.integers(5, size=ROWS)),
        ("id", RNG.normal(size=ROWS)),
        ("nearly", np.r_[np.arange(ROWS - 1), 99]),
        ("halves", np.arange(ROWS) + 0.5),
    ],
)
def test_is_kept(name: str, values: np.ndarray) -> None:
    data = from_frame(frame(**{name: values}))
    assert data.feature_names == ("spend", name) and data.notes == data.schema.left_out == ()


def test_a_few_rows_may_be_stepped_by_chance() -> None:
    assert from_frame(pandas.DataFrame({"a": [1, 3], "b": [4, 9]})).schema.left_out == ()


def test_what_is_named_stays_and_one_column_stays() -> None:
    said = Wishes(kinds={"id": "real"})
    assert from_frame(frame(id=np.arange(ROWS)), wishes=said).schema.left_out == ()
    assert from_frame(pandas.DataFrame({"id": np.arange(ROWS)})).feature_names == ("id",)
    with pytest.raises(InputError, match="same value in every row"):
        from_frame(pandas.DataFrame({"a": [1, 1], "b": [2, 2]}))


def test_to_apply_nothing_is_left_out() -> None:
    data = from_frame(frame(id=np.arange(ROWS), country=1), purpose="apply")
    assert data.feature_names == ("spend", "id", "country")


def test_a_model_finds_its_columns_among_those_left_out(tmp_path: Path) -> None:
    trained = from_frame(frame(id=np.arange(ROWS), visits=SPEND**2, country=1))
    encoding = TableEncoding.fit(trained, "real")
    stored = TableEncoding.from_config(encoding.to_config())
    path = tmp_path / "new.csv"
    for columns in (
        ["country", "visits", "id", "spend"],
        ["visits", "spend", "id"],
        ["visits", "spend"],
    ):
        frame(id=np.arange(ROWS), visits=SPEND**2, country=2)[columns].to_csv(path, index=False)
        data = stored.conform(load(str(path), purpose="apply"))
        assert data.feature_names == ("spend", "visits")
        np.testing.assert_allclose(data.x[:, 0], SPEND)
        assert bool(data.notes) == ("id" in columns)
    frame(visits=SPEND**2, other=1.5).to_csv(path, index=False)
    data = stored.conform(load(str(path), purpose="apply"))
    assert data.notes == ("left out, for training did not have them: other",)
    frame(id=np.arange(ROWS), other=1.5).to_csv(path, index=False)
    with pytest.raises(InputError, match="'other' that the model does not know.*'visits'"):
        stored.conform(load(str(path), purpose="apply"))
    with pytest.raises(InputError, match="left_out is 3"):
        TableEncoding.from_config(encoding.to_config() | {"left_out": 3})
