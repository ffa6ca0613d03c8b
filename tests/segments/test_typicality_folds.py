"""Few rows are calibrated by models that were trained without them."""

from __future__ import annotations

import numpy as np
import pytest

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from tests.segments.test_typicality import points

QUICK = {"max_iter": 10, "device": "cpu", "hidden": (16,)}


def test_a_parameter_rejects_new_rows_and_labels() -> None:
    x = points(120, 0)
    model = GMVAE(3, reject=0.1, random_state=0, **QUICK).fit(x)
    calibration = model.fitted_.calibration
    assert calibration is not None and len(calibration) == 120
    np.testing.assert_array_equal(model.labels_, model.predict(x))
    assert (model.predict([[30.0, -30.0], [-30.0, -30.0]]) == -1).all()
    assert 0 < (model.labels_ == -1).mean() < 0.2
    assert (model.predict_proba(x).sum(1) > 0.99).all()
    # Another share needs no other fit.
    model.set_params(reject=None)
    assert (model.predict(x) >= 0).all()
    assert (model.assign(x, reject=0.3)["cluster"] == -1).sum() > (model.labels_ == -1).sum()


@pytest.mark.slow
def test_rows_with_labels_stay_in_training() -> None:
    x = points(100, 1)
    labels = np.full(100, -1)
    labels[:9] = [0, 1, 2] * 3
    weights = np.ones(100)
    weights[50:60] = 0  # not a row
    model = GMVAE(3, reject=0.1, random_state=0, **QUICK).fit(
        x, sample_weight=weights, labels=labels
    )
    assert model.fitted_.calibration is not None and len(model.fitted_.calibration) == 81


def test_what_cannot_be_calibrated() -> None:
    x = points(60, 0)
    with pytest.raises(InputError, match="reject 0.001 of the rows takes 999 rows"):
        GMVAE(2, reject=0.001, random_state=0, **QUICK).fit(x)
    model = GMVAE(2, random_state=0, warm_start=True, **QUICK).fit(x)
    with pytest.raises(InputError, match="warm start"):
        model.set_params(reject=0.1).fit(x)
    with pytest.raises(InputError, match="10 rows are too few"):
        GMVAE(9, reject=0.1, random_state=0, **QUICK).fit(x[:10])


@pytest.mark.slow
def test_the_rate_on_new_rows_of_few() -> None:
    """Folds train on fewer rows, so that the mean rate may be lower by a point."""
    rates = []
    for seed in range(12):
        model = GMVAE(3, reject=0.1, random_state=seed, device="cpu").fit(points(200, seed))
        rates.append((model.predict(points(4000, 100 + seed)) == -1).mean())
    error = np.std(rates) / 12**0.5
    assert -0.01 - 3 * error < np.mean(rates) - 0.1 < 3 * error
