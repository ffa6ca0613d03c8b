"""Outcomes are read as a training table is, and refused in words that help."""

from __future__ import annotations

import numpy as np
import pandas
import polars
import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.segments.outcomes.columns import outcome_frame, read_outcome

RNG = np.random.default_rng(0)
FRAME = pandas.DataFrame(
    {
        "spend": np.where(np.arange(100) % 9 == 0, np.nan, RNG.lognormal(3, 1, 100)),
        "churn": RNG.integers(0, 2, 100),
        "tier": RNG.choice(["gold", "iron", ""], 100),
        "active": RNG.random(100) < 0.5,
        "joined": pandas.Timestamp("2024-01-01")
        + pandas.to_timedelta(RNG.integers(0, 99, 100), "D"),
        "region": RNG.choice([1, 2, 3], 100),
        "id": np.arange(100),
        "flat": np.ones(100),
        "gone": np.full(100, np.nan),
        "names": [f"customer {i}" for i in range(100)],
    }
)


def test_kinds_of_columns() -> None:
    spend = read_outcome(FRAME, "spend")
    assert spend.kind == "mean" and spend.known.sum() == 88
    assert (spend.z[spend.known, 0] == FRAME["spend"].dropna().to_numpy()).all()
    churn = read_outcome(FRAME, "churn")
    assert churn.kind == "share" and churn.levels == ("0", "1")
    assert (churn.z[:, 1] == FRAME["churn"]).all()
    tier = read_outcome(FRAME, "tier")
    assert tier.levels == ("gold", "iron")
    assert (tier.known == (FRAME["tier"] != "")).all() and (tier.z.sum(1) == tier.known).all()
    assert read_outcome(FRAME, "active").levels == ("false", "true")
    joined = read_outcome(FRAME, "joined")
    assert joined.kind == "date" and joined.z.min() >= 19_723  # days since 1970-01-01


def test_the_user_says_what_a_column_is() -> None:
    assert read_outcome(FRAME, "region", {"region": "category"}).levels == ("1", "2", "3")
    assert read_outcome(FRAME, "region", {"region": "real"}).kind == "mean"
    assert read_outcome(FRAME, "id", {"id": "real"}).z[:, 0].tolist() == list(range(100))
    with pytest.raises(InputError, match="size"):
        read_outcome(FRAME, "region", {"region": "size"})


def test_columns_that_tell_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="flat has the same value in every row"):
        read_outcome(FRAME, "flat")
    with pytest.raises(InputError, match="gone has no known cell"):
        read_outcome(FRAME, "gone")
    with pytest.raises(InputError, match="names has 100 different values"):
        read_outcome(FRAME, "names")


def test_forms_that_users_hand_over() -> None:
    churn = FRAME["churn"]
    shuffled = churn.set_axis(np.arange(100)[::-1])
    for given, name in (
        (FRAME[["churn"]], "churn"),
        (shuffled, "churn"),  # an index is ignored
        ({"left": shuffled}, "left"),
        ({"left": torch.tensor(churn.tolist())}, "left"),
        (churn.tolist(), "outcome"),
        (churn.to_numpy(), "outcome"),
    ):
        frame = outcome_frame(given, 100)
        assert list(frame) == [name] and frame[name].tolist() == churn.tolist()


def test_polars_columns() -> None:
    given = polars.DataFrame({"tier": ["a", None, "b"]})
    assert read_outcome(outcome_frame(given, 3), "tier").known.tolist() == [True, False, True]
    assert list(outcome_frame(given["tier"], 3)) == ["tier"]


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="have 100 rows and X has 99"):
        outcome_frame(FRAME, 99)
    with pytest.raises(InputError, match="columns of one length"):
        outcome_frame({"a": [1, 2], "b": [1]}, 2)
    with pytest.raises(InputError, match="no column"):
        outcome_frame(FRAME[[]], 100)
    with pytest.raises(InputError, match="two outcomes are called a"):
        outcome_frame(pandas.DataFrame([[1, 2]], columns=["a", "a"]), 1)
    with pytest.raises(InputError, match=r"shape \(2, 2\): give one value for each row, or a data"):
        outcome_frame(np.eye(2), 2)
    with pytest.raises(InputError, match="outcomes are a list of dicts: give the data frame"):
        outcome_frame([{"churn": 1}, {"churn": 0}], 2)
    with pytest.raises(InputError, match=r"LazyFrame: give what its collect\(\) returns"):
        outcome_frame(polars.LazyFrame({"churn": [0, 1]}), 2)
