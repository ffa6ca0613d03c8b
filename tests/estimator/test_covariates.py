"""`fit(X, covariates=W)`: coefficients of a simulation, other rows, gaps, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from sklearn.metrics import adjusted_rand_score, confusion_matrix

from benchmarks.segments.covariates import TRUTH, simulated
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError

QUICK: dict[str, Any] = {"max_iter": 2, "random_state": 0, "hidden": (8,)}


def test_coefficients_and_clusters_of_a_simulation() -> None:
    """1,200 rows, 3 standard deviations apart, against the coefficients that drew the rows.

    Each estimate is within 4 of its standard errors, and the clusters are better with w: without
    it, a mixture cannot tell as well where they overlap.
    """
    x, w, y = simulated(1200, 3.0)
    model = GMVAE(3, max_iter=3, random_state=0).fit(x, covariates=w)
    found = model.predict(x, covariates=w)
    without = GMVAE(3, max_iter=3, random_state=0, init_params="mixture").fit(x).predict(x)
    better = adjusted_rand_score(y, found) - adjusted_rand_score(y, without)
    assert better > 0.02
    effects = model.covariate_effects(x, w, resamples=12)
    numbers = confusion_matrix(y, found).argmax(1)
    assert effects.reference == numbers[0]  # the largest cluster is the first of the simulation
    by_segment = {k: [c for c in effects.coefficients if c.segment == k] for k in numbers[1:]}
    for k, truth in zip(numbers[1:], TRUTH, strict=True):
        named = [(c.covariate, c.level) for c in by_segment[k]]
        assert named == [
            (None, None), ("age", None), ("income", None), ("region", "south"), ("region", "west")
        ]  # fmt: skip
        for coefficient, value in zip(by_segment[k], truth, strict=True):
            assert abs(coefficient.value - value) < 4 * coefficient.standard_error
            assert 0.001 < coefficient.standard_error < 1.5
    assert [test.covariate for test in effects.tests] == ["age", "income", "region"]
    assert all(test.test.p_value < 0.001 for test in effects.tests)
    # So are the coefficients that the model itself predicts by.
    design, pair = model.fitted_.covariates, model.model_.model
    stored = torch.cat([pair.y_logits(torch.zeros(1, len(design))), pair.membership.slope.T])
    own = (design.to_user @ stored.detach().double().numpy()).T[numbers]
    errors = np.array([[c.standard_error for c in by_segment[k]] for k in numbers[1:]])
    assert (np.abs(own[1:] - own[:1] - TRUTH) < 4 * errors).all()


def test_the_mean_of_p_y_given_w_is_p_y() -> None:
    x, w, _ = simulated(400, 4.0)
    model = GMVAE(3, validation_fraction=0, **QUICK).fit(x, covariates=w)
    given = model.fitted_.given(torch.from_numpy(np.zeros((0, 3))))[0]
    assert given.shape == (0, 4)
    data, fitted = model._ready(x, w)
    p = fitted.gmvae.model.log_p_y(*fitted.given(data.w)).exp().mean(0).detach()
    np.testing.assert_allclose(model.weights_, p.numpy(), atol=1e-5)


def test_a_saved_model_places_rows_the_same(tmp_path: Path) -> None:
    x, w, _ = simulated(200, 4.0)
    frame = pandas.DataFrame(w)
    frame.loc[:9, "age"] = np.nan
    frame["since"] = pandas.date_range("2020-01-01", periods=200)
    model = GMVAE(3, **QUICK).fit(x, covariates=frame)
    terms = [str(term) for term in model.fitted_.covariates.terms]
    assert terms == ["age", "age: missing", "income", "region: south", "region: west", "since"]
    model.save(tmp_path / "run")
    again = GMVAE.load(tmp_path / "run")
    shuffled = frame[["since", "region", "age", "income"]]
    for name in ("predict_proba", "score_samples", "transform"):
        ours = getattr(model, name)(x, covariates=frame)
        assert np.array_equal(ours, getattr(again, name)(x, covariates=shuffled))
    placed = again.assign(x, covariates=frame)
    assert np.array_equal(placed["cluster"], model.predict(x, covariates=frame))
    assert again.score(x, covariates=frame) == model.score(x, covariates=frame)
    # A level that training did not have counts as missing.
    with pytest.warns(UserWarning, match="'east' in region"):
        new = again.predict_proba(x[:1], covariates=frame.iloc[:1].assign(region="east"))
    assert np.isfinite(new).all()


def test_mixed_columns() -> None:
    """w decides where x hardly does, by q(y|x,w) and by p(y|z,w)."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    x = pandas.DataFrame(
        {
            "spend": rng.normal(2.0 * y, 1),
            "tier": np.where(rng.random(300) < 0.3 + 0.4 * y, "a", "b"),
        }
    )
    w = {"age": rng.normal(40 + 12 * y, 5)}
    for method in ("sparse", "marginal"):
        model = GMVAE(2, method=method, clusters_are="free", **QUICK).fit(x, covariates=w)
        with_w = adjusted_rand_score(y, model.predict(x, covariates=w))
        assert with_w > 0.75, method
        assert np.isfinite(model.score_samples(x, covariates=w)).all()


def test_outcomes_and_rules_know_w() -> None:
    x, w, y = simulated(300, 4.0)
    model = GMVAE(3, **QUICK).fit(x, covariates=w)
    spend = {"spend": 10.0 * y + np.random.default_rng(1).normal(0, 1, 300)}
    found = model.describe(x, spend, covariates=w, resamples=3)["spend"]
    means = sorted(s.estimates[0].value for s in found.segments)
    np.testing.assert_allclose(means, [0, 10, 20], atol=1.0)
    assert model.rules(x, covariates=w).held_out_rows > 0


@pytest.mark.slow
def test_images_take_covariates() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    images = np.clip(rng.random((60, 6, 6)) * 0.3 + 0.6 * y[:, None, None], 0, 1)
    options = {"init_params": "kmeans", "regularize": "none", "hidden": (8,), "random_state": 0}
    w = {"day": y + rng.normal(0, 0.5, 60)}
    model = GMVAE(2, max_iter=3, **options).fit(images, covariates=w)
    assert model.predict_proba(images, covariates=w).shape == (60, 2)
    effects = model.covariate_effects(images, w, resamples=5)
    assert effects.first_step is None  # p(x|y) is kept
    assert effects.rows == 60


def test_rows_without_their_covariates_are_refused() -> None:
    x, w, _ = simulated(100, 4.0)
    model = GMVAE(3, **QUICK).fit(x, covariates=w)
    for call in (
        lambda: model.predict(x),
        lambda: model.score(x),
        lambda: model.bic(x),
        lambda: model.to_inference_data(x),
        lambda: model.covariates(x, {"other": np.arange(100.0)}),
    ):
        with pytest.raises(InputError, match="has the covariates age, income, region"):
            call()
    with pytest.raises(InputError, match="lacks the column 'region'"):
        model.predict(x, covariates={"age": w["age"], "income": w["income"]})
    with pytest.raises(InputError, match="covariates have 3 rows and X has 100"):
        model.predict(x, covariates={"age": [1.0, 2.0, 3.0]})
    with pytest.raises(InputError, match="fit a new model"):
        model.partial_fit(x)
    with pytest.raises(InputError, match="fit a new model"):
        GMVAE.set_params(model, warm_start=True).fit(x, covariates=w)


def test_covariates_that_say_nothing_are_refused() -> None:
    x, w, _ = simulated(100, 4.0)
    plain = GMVAE(3, **QUICK).fit(x)
    with pytest.raises(InputError, match="trained without covariates"):
        plain.predict(x, covariates=w)
    with pytest.raises(InputError, match="trained without covariates"):
        plain.covariate_effects(x, {"age": w["age"]})
    age = w["age"]
    with pytest.raises(InputError, match="follows from the others"):
        GMVAE(3, **QUICK).fit(
            x, covariates={"age": age, "b": w["income"], "sum": age + w["income"]}
        )
    with pytest.raises(InputError, match="constant|same|vary"):
        GMVAE(3, **QUICK).fit(x, covariates={"age": age, "one": np.ones(100)})
