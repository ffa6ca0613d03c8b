"""The estimator says its clusters by outcomes and rules."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
from sklearn.exceptions import NotFittedError

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.segments import describe_outcomes
from tests.helpers.sql import segments_by_sql

OPTIONS = {"max_iter": 5, "hidden": (8,), "random_state": 0}
RNG = np.random.default_rng(0)
SEGMENT = np.repeat([0, 1], [80, 120])
TABLE = pandas.DataFrame(
    {
        "visits": RNG.poisson(2 + 20 * SEGMENT),
        "tier": np.where(RNG.random(200) < 0.1 + 0.8 * SEGMENT, "gold", "it's iron"),
        "spend": np.where(RNG.random(200) < 0.2, np.nan, RNG.lognormal(1 + 3 * SEGMENT, 0.3)),
    }
)
CHURN = pandas.Series(RNG.random(200) < 0.7 - 0.5 * SEGMENT, name="churn")


@pytest.fixture(scope="module")
def model() -> GMVAE:
    return GMVAE(2, **OPTIONS).fit(TABLE)


def test_outcomes_by_cluster(model: GMVAE) -> None:
    found = model.describe(TABLE, CHURN)
    expected = describe_outcomes(model.predict_proba(TABLE).astype(np.float64), CHURN)
    assert found["churn"].test.p_value == pytest.approx(expected["churn"].test.p_value)
    shares = sorted(s.estimates[1].value for s in found["churn"].segments)
    assert shares == pytest.approx([0.2, 0.7], abs=4 * (0.21 / 80) ** 0.5)
    doubled = model.describe(TABLE, CHURN, sample_weight=np.full(200, 2.0))["churn"]
    rows = [s.rows for s in found["churn"].segments]
    assert [s.rows for s in doubled.segments] == pytest.approx([2 * n for n in rows])


def test_a_column_that_was_clustered_on_is_refused(model: GMVAE) -> None:
    with pytest.raises(InputError, match="the model clusters by visits"):
        model.describe(TABLE, TABLE[["visits"]])


def test_rules_are_those_of_the_clusters(model: GMVAE) -> None:
    rules = model.rules(TABLE, max_depth=2)
    assert rules.fidelity > 0.95
    by_sql = segments_by_sql(TABLE, rules.to_sql())
    assert (by_sql == model.predict(TABLE)).mean() > 0.95


def test_arrays_have_rules_by_the_numbers_of_their_columns() -> None:
    x = RNG.normal(8 * SEGMENT[:, None], 1, (200, 2))
    rules = GMVAE(2, **OPTIONS).fit(x).rules(x, max_depth=1)
    assert '"column 0"' in rules.to_sql() or '"column 1"' in rules.to_sql()


def test_images_and_models_that_are_not_fitted_are_refused() -> None:
    with pytest.raises(NotFittedError):
        GMVAE(2).rules(TABLE)
    with pytest.raises(NotFittedError):
        GMVAE(2).describe(TABLE, CHURN)
    images = RNG.integers(0, 2, (40, 8, 8)).astype(bool)
    options = OPTIONS | {"max_iter": 1, "init_params": "random", "regularize": "none"}
    with pytest.raises(InputError, match="this model is of images"):
        GMVAE(2, **options).fit(images).rules(images)
