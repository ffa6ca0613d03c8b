"""scikit-learn's own checks of an estimator; one is excused, and says why."""

import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from pyro_gmvae import GMVAE

# A bare GMVAE() takes minutes; fewer epochs run the same code.
QUICK = GMVAE(hidden=(16,), max_iter=3)
# scikit-learn excuses its own KMeans and forests likewise.
EXCUSED = {
    "check_sample_weight_equivalence_on_dense_data": "A training draws rows by their weights, so "
    "that a row of weight 2 equals two rows in expectation, not bit for bit "
    "(tests/fitting/test_weights.py)."
}


@pytest.fixture
def array_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it scikit-learn skips the check that array API dispatch changes nothing."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([QUICK], expected_failed_checks=lambda estimator: EXCUSED)
def test_scikit_learn_check(estimator, check, array_api: None, unchecked_shapes: None) -> None:
    check(estimator)


@pytest.mark.slow
def test_defaults_pass_every_check(array_api: None) -> None:
    results = check_estimator(GMVAE(), on_fail=None, on_skip=None, expected_failed_checks=EXCUSED)
    assert not [r["check_name"] for r in results if r["status"] not in ("passed", "xfail")]
