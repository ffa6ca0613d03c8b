"""Data frames of any columns through the estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from pyro_gmvae import GMVAE
from pyro_gmvae.data import Schema, from_frame
from pyro_gmvae.errors import InputError

BRIEF: dict[str, Any] = {"hidden": (8,), "latent_dim": 2, "max_iter": 1, "random_state": 0}
ROWS = 90


def customers(rows: int = ROWS, seed: int = 0) -> pandas.DataFrame:
    """Two kinds of customers, in columns of every type, with gaps."""
    rng = np.random.default_rng(seed)
    kind = np.arange(rows) % 2
    days = pandas.Timestamp("2023-01-01") + pandas.to_timedelta(rng.integers(300, size=rows), "D")
    frame = pandas.DataFrame(
        {
            "id": rng.permutation(10**6)[:rows],
            "spend": rng.lognormal(2 + 4 * kind, 0.5),
            "visits": rng.poisson(2 + 6 * kind),
            "tier": np.where(rng.random(rows) < 0.9, np.array(["gold", "iron"])[kind], "tin"),
            "member": rng.random(rows) < 0.2 + 0.6 * kind,
            "since": days,
        }
    )
    gaps = rng.random((rows, 6)) < 0.1
    gaps[:, 0] = False
    return frame.mask(gaps)


def fitted(x: Any, **options: Any) -> GMVAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GMVAE(2, **BRIEF | options).fit(x)


@pytest.fixture(scope="module")
def gmvae() -> GMVAE:
    return fitted(customers())


def test_a_frame_of_any_columns(gmvae: GMVAE) -> None:
    frame = customers()
    assert gmvae.n_features_in_ == 6 and list(gmvae.feature_names_in_) == list(frame)
    schema = gmvae.encoding_.schema
    assert schema.names == ("spend", "visits", "tier", "member", "since")
    truth = np.arange(ROWS) % 2
    agree = (gmvae.labels_ == truth).mean()
    assert max(agree, 1 - agree) > 0.95
    np.testing.assert_array_equal(gmvae.predict(frame), gmvae.labels_)
    assert gmvae.transform(frame).shape == (ROWS, 2)
    assert np.isfinite(gmvae.score_samples(frame)).all()


def test_new_rows(gmvae: GMVAE) -> None:
    new = customers(5, seed=1)
    whole = gmvae.predict_proba(new)
    np.testing.assert_allclose(gmvae.predict_proba(new.iloc[[3]])[0], whole[3], rtol=1e-4)
    np.testing.assert_allclose(gmvae.predict_proba(new.astype(object)), whole, rtol=1e-4)
    np.testing.assert_allclose(gmvae.predict_proba(new.to_numpy()), whole, rtol=1e-4)
    empty = new.mask(np.ones(new.shape, dtype=bool))
    assert np.isfinite(gmvae.score_samples(empty)).all()
    with pytest.raises(ValueError, match="feature names"):
        gmvae.predict(new.drop(columns="tier"))
    with pytest.warns(UserWarning, match="'steel' in tier"):
        gmvae.predict(new.assign(tier="steel"))


def test_samples_are_such_rows(gmvae: GMVAE) -> None:
    drawn, clusters = gmvae.sample(40)
    assert list(drawn) == ["spend", "visits", "tier", "member", "since"]
    assert set(drawn["tier"].dropna()) <= {"gold", "iron", "tin"} and len(clusters) == 40
    assert drawn["member"].dtype == "boolean" and drawn["since"].dtype.kind == "M"
    assert (drawn["visits"] == drawn["visits"].round()).all() and (drawn["visits"] >= 0).all()


def test_a_saved_run_knows_the_columns(gmvae: GMVAE, tmp_path: Path) -> None:
    gmvae.save(tmp_path / "run")
    loaded = GMVAE.load(tmp_path / "run")
    frame = customers()
    np.testing.assert_allclose(loaded.predict_proba(frame), gmvae.predict_proba(frame), rtol=1e-5)
    without = frame.drop(columns="id")
    np.testing.assert_allclose(loaded.score_samples(without), gmvae.score_samples(frame), rtol=1e-5)
    assert loaded.encoding_.schema == gmvae.encoding_.schema


def test_numbers_with_gaps() -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)) + 6 * (np.arange(60) % 2)[:, None]
    x[::7, 1] = np.nan
    found = fitted(x)
    assert found.encoding_.columns == ("real",) * 3
    assert np.isfinite(found.score_samples(x)).all()
    drawn, _ = found.sample(5)
    assert isinstance(drawn, np.ndarray) and np.isfinite(drawn).all()
    agree = (found.labels_ == np.arange(60) % 2).mean()
    assert max(agree, 1 - agree) == 1


@pytest.mark.parametrize(
    "schema", [{"visits": "real", "id": "real"}, {"tier": "drop"}, Schema.of_numbers(1, ["spend"])]
)
def test_a_schema_goes_before_the_guess(schema: Any) -> None:
    found = fitted(customers(), schema=schema).encoding_.schema
    kinds = {c.name: c.kind for c in found.columns}
    if isinstance(schema, Schema):
        assert kinds["spend"] == "real"
    elif "tier" in schema:
        assert "tier" not in kinds and kinds["spend"] == "amount"
    else:
        assert kinds["visits"] == kinds["id"] == "real"


def test_a_schema_of_an_array() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=80), rng.poisson(3, 80), np.arange(80.0)], 1)
    found = fitted(x, schema={1: "count", 2: "drop"})
    assert found.encoding_.columns == ("real", "count")
    assert found.n_features_in_ == 3
    assert found.predict(x).shape == (80,)
    with pytest.raises(InputError, match="X has no column 7"):
        fitted(x, schema={7: "count"})


def record_batch(frame: pandas.DataFrame) -> pa.RecordBatch:
    return pa.RecordBatch.from_pandas(frame, preserve_index=False)


FRAMES = (polars.from_pandas, pa.Table.from_pandas, record_batch, pandas.DataFrame.convert_dtypes)


@pytest.mark.parametrize("make", FRAMES)
def test_other_data_frames_are_read_as_that_of_pandas(gmvae: GMVAE, make: Callable) -> None:
    data = customers()
    data["member"] = data["member"].astype("boolean")
    given = make(data)
    found, expected = from_frame(given), from_frame(data)
    assert found.schema == expected.schema
    np.testing.assert_array_equal(found.x.numpy(), expected.x.numpy())
    np.testing.assert_array_equal(gmvae.predict(given), gmvae.predict(data))
    np.testing.assert_array_equal(fitted(given).labels_, gmvae.labels_)
    filled = gmvae.impute(given)
    assert isinstance(filled, polars.DataFrame if make is polars.from_pandas else pandas.DataFrame)
    assert list(filled["tier"]) == list(gmvae.impute(data)["tier"])


def test_answers_in_polars(gmvae: GMVAE) -> None:
    made = clone(gmvae).set_output(transform="polars").fit(customers())
    assert made.transform(polars.from_pandas(customers(5, seed=1))).shape == (5, 2)


NUMBERED = pandas.DataFrame({"a": [1.0, 2.0, 4.0], "b": ["x", "y", "x"]})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (NUMBERED.set_axis(["a", "a"], axis=1), "X has two columns called a: rename one"),
        (NUMBERED.to_numpy(), "'x' in row 0 of column 1, which is no number: give the data frame"),
        (NUMBERED.to_numpy(str), r"'x' in row 0 of column 1, .* pandas.DataFrame\(X\) makes"),
        (NUMBERED.to_numpy().tolist(), "'x' in row 0 of column 1"),
        (NUMBERED.iloc[0], r"X has the shape \(2,\): give a table, such as frame.iloc"),
        (NUMBERED.to_records(index=False), r"pandas.DataFrame\(X\) makes of it"),
        (NUMBERED.to_dict("records"), "X is a list of dicts: give the data frame that pandas"),
        (NUMBERED.to_dict("list"), "X is a dict: give the data frame that pandas"),
        (iter(NUMBERED.to_numpy()), "X is a .*iter.*: give a data frame, an array or a list"),
        (
            polars.from_pandas(NUMBERED).lazy(),
            r"polars.LazyFrame: give what its collect\(\) returns",
        ),
        (NUMBERED.groupby("b"), "X is a DataFrameGroupBy: give a data frame"),
        ("table.csv", "X is a str: give a data frame"),
        (None, "X is a NoneType: give a data frame"),
    ],
)
def test_rows_in_other_forms_are_refused_with_the_way_out(x: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fitted(x)


def test_gaps_are_filled_and_all_else_stays(gmvae: GMVAE) -> None:
    frame = customers(12, seed=3).assign(note="x").drop(columns="note")
    filled = gmvae.impute(frame)
    assert list(filled) == list(frame) and filled.index.equals(frame.index)
    assert not filled.isna().any().any()
    for name in frame:
        there = frame[name].notna()
        assert (filled[name][there] == frame[name][there]).all(), name
    assert set(filled["tier"]) <= {"gold", "iron", "tin"}
    pandas.testing.assert_series_equal(filled["id"], frame["id"])  # training left it out
    drawn = gmvae.impute(frame, draw=True)
    pandas.testing.assert_frame_equal(drawn, gmvae.impute(frame, draw=True))
    assert not drawn["spend"].equals(filled["spend"])


def test_text_that_is_new_is_no_gap(gmvae: GMVAE) -> None:
    frame = customers(6, seed=4)
    frame["tier"] = pandas.Series(["steel", None, "gold", "gold", "tin", None], dtype=object)
    with pytest.warns(UserWarning, match="'steel' in tier"):
        filled = gmvae.impute(frame)["tier"].to_list()
    assert filled[0] == "steel" and filled[2:5] == ["gold", "gold", "tin"]
    assert {filled[1], filled[5]} <= {"gold", "iron", "tin"}


def test_filled_cells_are_those_of_the_rows_cluster(gmvae: GMVAE) -> None:
    frame = customers(400, seed=5)
    kind = np.arange(400) % 2
    hidden = frame.assign(spend=np.nan)
    spend = gmvae.impute(hidden)["spend"].to_numpy(dtype=float)
    # Customers of one kind spend e^2 = 7, those of the other e^6 = 403.
    assert np.median(spend[kind == 1]) > 10 * np.median(spend[kind == 0])


def test_an_array_is_filled_as_an_array() -> None:
    x = np.random.RandomState(0).randn(60, 3)
    gaps = np.where(np.random.RandomState(1).rand(60, 3) < 0.2, np.nan, x)
    gmvae = fitted(gaps)
    filled = gmvae.impute(gaps)
    known = ~np.isnan(gaps)
    assert not np.isnan(filled).any() and np.array_equal(filled[known], gaps[known])
    assert gmvae.impute(gaps.astype(np.float32)).dtype == np.float32
    without = fitted(gaps, schema={0: "drop"})
    assert np.array_equal(without.impute(gaps)[:, 0], gaps[:, 0], equal_nan=True)
    with pytest.raises(InputError, match="takes no gaps"):
        fitted(x).impute(x)


def test_samples_given_other_cells(gmvae: GMVAE) -> None:
    frame = customers(4, seed=6).drop(columns="id").assign(id=1)[list(customers(1))]
    given = frame.assign(spend=np.nan)
    rows, clusters = gmvae.sample(50, given=given)
    assert len(rows) == 200 and clusters.shape == (200,) and list(rows) == list(frame)
    visits = frame["visits"].to_numpy().repeat(50)
    there = ~np.isnan(visits)
    np.testing.assert_array_equal(rows["visits"].to_numpy()[there], visits[there])
    spend = rows["spend"].to_numpy(dtype=float).reshape(4, 50)
    assert (np.isfinite(spend)).all() and (spend.std(1) > 0).all()
