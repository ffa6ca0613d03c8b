"""Covariates as columns of a regression."""

from __future__ import annotations

import json

import numpy as np
import pandas
import pytest
import torch

from pyro_gmvae.data.covariate_columns import from_table_with, read_covariates
from pyro_gmvae.data.covariates import CovariateDesign
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.errors import InputError

FRAME = pandas.DataFrame(
    {
        "age": [20.0, 30.0, np.nan, 50.0, 60.0, 35.0],
        "tier": ["a", "b", "b", None, "c", "b"],
        "since": pandas.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"] * 2),
        "member": [True, False, True, True, False, False],
    }
)


def fitted(frame: pandas.DataFrame) -> CovariateDesign:
    return CovariateDesign.fit(read_covariates(frame, len(frame)))


def test_each_kind_of_column_against_its_definition() -> None:
    """Two gaps in rows of their own, so that each has a term; no column follows from others."""
    numbers = FRAME[["age", "since"]]
    design = fitted(numbers)
    assert [str(t) for t in design.terms] == ["age", "age: missing", "since"]
    w = design.encode(read_covariates(numbers, 6).x)
    age = FRAME["age"].fillna(FRAME["age"].mean())
    np.testing.assert_allclose(w[:, 0], (age - age.mean()) / age.std(ddof=0))
    years = (FRAME["since"] - pandas.Timestamp("1970-01-01")).dt.days / 365.25
    np.testing.assert_allclose(w[:, 2], (years - years.mean()) / years.std(ddof=0))
    np.testing.assert_allclose(w.mean(0), 0, atol=1e-12)
    levels = FRAME[["tier", "member"]]
    design = fitted(levels)
    named = ["tier: a", "tier: c", "tier: missing", "member: true"]
    assert [str(t).lower() for t in design.terms] == named
    raw = design.encode(read_covariates(levels, 6).x) * torch.tensor(
        design.scale, dtype=torch.float64
    )
    raw = raw + torch.tensor(design.shift, dtype=torch.float64)
    raw, known = raw.numpy(), FRAME["tier"].notna().to_numpy()
    np.testing.assert_allclose(raw[known, 0], (FRAME["tier"] == "a")[known], atol=1e-12)
    np.testing.assert_allclose(raw[:, 2], ~known, atol=1e-12)


def test_coefficients_in_user_units_say_the_same() -> None:
    design = fitted(FRAME[["age", "since"]].fillna(40.0))
    given = read_covariates(FRAME[["age", "since"]].fillna(40.0), 6)
    coefficients = np.array([0.3, -1.2, 0.7])
    ours = np.c_[np.ones(6), design.encode(given.x)] @ coefficients
    raw = given.x.numpy() / np.array([1.0, 365.25])
    np.testing.assert_allclose(np.c_[np.ones(6), raw] @ (design.to_user @ coefficients), ours)


def test_a_design_comes_back_from_json() -> None:
    design = fitted(FRAME[["age", "tier"]])
    again = CovariateDesign.from_config(json.loads(json.dumps(design.to_config())))
    assert again == design
    config = design.to_config()
    for damaged in (
        config | {"scale": [0.0] * len(design)},
        config | {"shift": [0.0]},
        config | {"terms": [{"covariate": "height"}] * len(design)},
        {n: v for n, v in config.items() if n != "columns"},
        [],
    ):
        with pytest.raises(InputError, match="damaged"):
            CovariateDesign.from_config(damaged)


def test_gaps_in_the_same_rows_have_one_term() -> None:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(20, 2)), columns=["a", "b"])
    frame.loc[:3] = np.nan
    assert [str(t) for t in fitted(frame).terms] == ["a", "a: missing", "b"]


def test_new_rows_are_found_by_name_and_unknown_levels_count_as_missing() -> None:
    design = fitted(FRAME[["age", "tier"]])
    new = read_covariates({"tier": ["z", "a"], "age": [35.0, 35.0]}, 2, purpose="apply")
    with pytest.warns(UserWarning, match="'z' in tier"):
        w = design.encode(design.conform(new).x)
    old = read_covariates({"tier": [None, "a"], "age": [35.0, 35.0]}, 2, purpose="apply")
    torch.testing.assert_close(w, design.encode(design.conform(old).x))
    with pytest.raises(InputError, match="lacks the column 'tier'"):
        design.conform(read_covariates({"age": [1.0]}, 1, purpose="apply"))


def test_covariates_of_a_table_are_no_columns_of_it() -> None:
    frame = FRAME.assign(spend=[1.5, 2.5, 3.5, 4.0, 5.5, 9.5], label=list("xyxyxy"))
    data = from_table_with(Table(frame), "t", ["age", "tier"], "label")
    assert data.feature_names is not None and "age" not in data.feature_names
    assert data.covariates is not None and data.covariates.feature_names == ("age", "tier")
    assert data.notes[-1] == "not clustered on, for clusters depend on it: age, tier"
    part = data.subset(torch.tensor([4, 0]))
    assert part.w is not None and part.w[:, 0].tolist() == [60.0, 20.0]
    assert part.fingerprint() != data.subset(torch.tensor([4, 1])).fingerprint()
    with pytest.raises(InputError, match="no covariate column agee: did you mean age"):
        from_table_with(Table(frame), "t", ["agee"])
    with pytest.raises(InputError, match="cannot be a covariate and serve as labels"):
        from_table_with(Table(frame), "t", ["label"], "label")
