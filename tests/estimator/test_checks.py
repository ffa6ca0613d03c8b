"""scikit-learn's own checks of an estimator; those that are excused say why."""

from collections.abc import Callable

import pytest
from sklearn.utils.estimator_checks import (
    check_estimator,
    check_estimator_sparse_array,
    check_estimator_sparse_matrix,
    parametrize_with_checks,
)

from pyro_gmvae import GMVAE

# A bare GMVAE() takes minutes; fewer epochs run the same code.
QUICK = GMVAE(hidden=(16,), max_iter=3)
# scikit-learn excuses its own KMeans and forests likewise.
DRAWN = (
    "A training draws rows by their weights, so that a row of weight 2 equals two rows in "
    "expectation, not bit for bit (tests/fitting/test_weights.py)."
)
CLASSES = (
    "The check takes an estimator that has predict_proba for a classifier, and looks for the "
    "number of classes of y. Without predict_proba it passes (below)."
)
EXCUSED = {
    "check_sample_weight_equivalence_on_dense_data": DRAWN,
    "check_sample_weight_equivalence_on_sparse_data": DRAWN,
    "check_estimator_sparse_array": CLASSES,
    "check_estimator_sparse_matrix": CLASSES,
}


class WithoutProbabilities(GMVAE):
    predict_proba = property()


@pytest.fixture
def array_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it scikit-learn skips the check that array API dispatch changes nothing."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([QUICK], expected_failed_checks=lambda estimator: EXCUSED)
def test_scikit_learn_check(estimator, check, array_api: None, unchecked_shapes: None) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("check", [check_estimator_sparse_array, check_estimator_sparse_matrix])
def test_sparse_checks_without_probabilities(check: Callable, unchecked_shapes: None) -> None:
    estimator = WithoutProbabilities(hidden=(16,), max_iter=3)
    assert not hasattr(estimator, "predict_proba")
    check("GMVAE", estimator)


@pytest.mark.slow
def test_defaults_pass_every_check(array_api: None) -> None:
    results = check_estimator(GMVAE(), on_fail=None, on_skip=None, expected_failed_checks=EXCUSED)
    assert not [r["check_name"] for r in results if r["status"] not in ("passed", "xfail")]
