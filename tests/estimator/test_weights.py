"""Weights of rows, criteria and warm starts, alone and within scikit-learn's own tools."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from tests.helpers.tiny import same_weights

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

QUICK: dict[str, Any] = {"hidden": (4,), "latent_dim": 1, "max_iter": 1, "random_state": 0}
QUICK |= {"init_params": "random", "num_samples": 10}
X = np.random.RandomState(0).randn(60, 2) + 4 * (np.arange(60) % 2)[:, None]
WEIGHTS = 1.0 + (np.arange(60) % 2)


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture(scope="module")
def gmvae() -> GMVAE:
    return GMVAE(2, **QUICK).fit(X)


def test_weights_of_one_are_no_weights(gmvae: GMVAE) -> None:
    ones = GMVAE(2, **QUICK).fit(X, sample_weight=np.ones(60))
    assert same_weights(ones.model_.state_dict(), gmvae.model_.state_dict())
    assert ones.lower_bound_ == gmvae.lower_bound_


def test_rows_without_weight_get_clusters_too() -> None:
    weighted = GMVAE(2, **QUICK).fit(X, sample_weight=(np.arange(60) < 40).astype(int))
    kept = GMVAE(2, **QUICK).fit(X[:40])
    assert same_weights(weighted.model_.state_dict(), kept.model_.state_dict())
    assert weighted.labels_.shape == (60,)


def test_clusters_to_begin_by_keep_their_rows() -> None:
    init, weights = np.arange(60) % 2, (np.arange(60) % 3 > 0).astype(int)
    weighted = GMVAE(2, **QUICK).fit(X, sample_weight=weights, init=init)
    kept = GMVAE(2, **QUICK).fit(X[weights > 0], init=init[weights > 0])
    assert same_weights(weighted.model_.state_dict(), kept.model_.state_dict())


@pytest.mark.parametrize("bad", [np.zeros(60), -np.ones(60), np.ones(59), ["a"] * 60])
def test_other_weights_are_refused(gmvae: GMVAE, bad: Any) -> None:
    for call in (GMVAE(2, **QUICK).fit, gmvae.score, gmvae.bic):
        with pytest.raises(InputError, match="sample_weight"):
            call(X, sample_weight=bad)


def test_a_score_counts_rows_by_their_weights(gmvae: GMVAE) -> None:
    each = gmvae.score_samples(X)
    assert gmvae.score(X) == pytest.approx(each.mean())
    weighted = gmvae.score(X, sample_weight=WEIGHTS)
    assert weighted == pytest.approx(np.average(each, weights=WEIGHTS))


def test_criteria_count_the_parameters_that_the_docs_name(gmvae: GMVAE) -> None:
    n, each = len(X), gmvae.score_samples(X)
    model = gmvae.model_.model
    decoder = sum(p.numel() for p in model.decoder.parameters())
    number = 1 + 2 * 2 * 1 + decoder + sum(p.numel() for p in model.likelihood.parameters())
    assert gmvae.bic(X) == pytest.approx(-2 * each.sum() + number * np.log(n))
    assert gmvae.aic(X) == pytest.approx(-2 * each.sum() + 2 * number)
    twice = gmvae.bic(X, sample_weight=np.full(n, 2))
    assert twice == pytest.approx(-4 * each.sum() + number * np.log(2 * n))
    assert gmvae.bic(X) > GaussianMixture(2, random_state=0).fit(X).bic(X)


def test_a_pipeline_routes_weights(routing: None) -> None:
    model = GMVAE(2, **QUICK).set_fit_request(sample_weight=True)
    model.set_score_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipe = make_pipeline(scaler, model).fit(X, sample_weight=WEIGHTS)
    scaled = StandardScaler().fit_transform(X)
    alone = GMVAE(2, **QUICK).fit(scaled, sample_weight=WEIGHTS)
    assert same_weights(pipe[-1].model_.state_dict(), alone.model_.state_dict())
    score = pipe.score(X, sample_weight=WEIGHTS)
    assert score == pytest.approx(alone.score(scaled, sample_weight=WEIGHTS))


def test_a_grid_search_routes_weights(routing: None) -> None:
    model = GMVAE(2, **QUICK).set_fit_request(sample_weight=True)
    model.set_score_request(sample_weight=True)
    weights = np.where(np.arange(60) < 20, 0, WEIGHTS)
    weights[0] = 1
    search = GridSearchCV(model, {"n_components": [1, 2]}, cv=2, error_score="raise")
    search.fit(X, sample_weight=weights)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert hasattr(search.best_estimator_, "fitted_")


def test_transformed_columns_have_names(gmvae: GMVAE) -> None:
    frame = pandas.DataFrame(X, columns=["width", "height"])
    framed = GMVAE(2, **QUICK).set_output(transform="pandas").fit(frame)
    made = framed.transform(frame)
    assert list(made.columns) == list(framed.get_feature_names_out()) == ["gmvae0"]
    both = ColumnTransformer(
        [("z", GMVAE(2, **QUICK), ["width"]), ("same", "passthrough", ["height"])]
    )
    both.set_output(transform="pandas")
    assert list(both.fit_transform(frame)) == ["z__gmvae0", "same__height"]


def test_copies(gmvae: GMVAE) -> None:
    again = pickle.loads(pickle.dumps(gmvae))
    assert again.bic(X) == gmvae.bic(X)
    other = clone(GMVAE(2, **QUICK, warm_start=True).fit(X))
    assert other.warm_start and not hasattr(other, "fitted_")


def test_a_warm_start_goes_on_from_the_last_fit() -> None:
    warm = GMVAE(2, **QUICK | {"learning_rate": 1e-9}, warm_start=True).fit(X)
    before, encoding = warm.means_, warm.encoding_
    warm.set_params(random_state=1).fit(X[:30])
    np.testing.assert_allclose(np.sort(warm.means_, 0), np.sort(before, 0), atol=1e-5)
    assert warm.encoding_ is encoding and warm.labels_.shape == (30,)
    cold = GMVAE(2, **QUICK | {"random_state": 1, "learning_rate": 1e-9}).fit(X[:30])
    assert not np.array_equal(cold.encoding_.shift, encoding.shift)


@pytest.mark.parametrize(
    ("changed", "rows", "words"),
    [
        ({"n_components": 3}, X, "n_components must stay 2, .* got 3: set it so, or warm_start"),
        ({"latent_dim": 2}, X, "latent_dim must stay 1"),
        ({"hidden": (5,)}, X, r"hidden must stay \(4,\)"),
        ({"method": "exact"}, X, "method must stay 'sparse'"),
        ({"likelihood": "gaussian_predicted"}, X, "likelihood must stay 'gaussian'"),
        ({}, X[:, :1], "X has 1 features"),
    ],
)
def test_a_warm_start_of_another_shape_is_refused(
    changed: dict[str, Any], rows: np.ndarray, words: str
) -> None:
    warm = GMVAE(2, **QUICK, warm_start=True).fit(X)
    with pytest.raises(ValueError, match=words):
        warm.set_params(**changed).fit(rows)


def test_a_learning_rate_that_fell_to_nothing_is_an_end() -> None:
    rows = np.tile(X, (10, 1))
    gaps = np.where(np.random.RandomState(1).rand(600, 2) < 0.1, np.nan, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        table = GMVAE(2, **QUICK | {"init_params": "auto"}).fit(gaps)  # its rate falls
    assert table.converged_ and table.fitted_.about.stopped == "schedule"
    with pytest.warns(ConvergenceWarning, match="after 1 epochs"):
        GMVAE(2, **QUICK, likelihood="gaussian_predicted").fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        # Nothing can tell.
        GMVAE(2, **QUICK, likelihood="gaussian_predicted", validation_fraction=0).fit(rows)


def test_a_warm_start_of_a_mixed_table() -> None:
    gaps = np.where(np.random.RandomState(1).rand(60, 2) < 0.1, np.nan, X)
    warm = GMVAE(2, **QUICK | {"init_params": "auto"}, clusters_are="held", warm_start=True)
    first = warm.fit(gaps).predict_proba(gaps)
    again = warm.fit(gaps[:40]).predict_proba(gaps)
    assert warm.fitted_.about.held
    np.testing.assert_allclose(again, first, atol=1e-5)  # held clusters stay through both
    freed = warm.set_params(clusters_are="auto").fit(gaps)
    assert freed.fitted_.about.held  # as the model was
