"""Every parameter of `GMVAE` gives a result, or is refused by name before the work begins."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.estimator.parameters import generator_of
from pyro_gmvae.fitting import capacity
from tests.helpers.odd_values import ODD

pytestmark = pytest.mark.usefixtures("unchecked_shapes")

X = np.random.RandomState(0).randn(30, 2)
QUICK: dict[str, Any] = {"n_components": 2, "hidden": (4,), "latent_dim": 2, "max_iter": 1}
QUICK |= {"random_state": 0, "init_params": "random", "device": "cpu"}
SAME = {"method": "exact"}  # words that a parameter takes, where no odd value is one
PARAMETERS = list(inspect.signature(GMVAE).parameters)


class Begun(Exception):
    """The training would begin now."""


@pytest.fixture
def begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*args: Any, **options: Any) -> None:
        raise Begun

    monkeypatch.setattr("pyro_gmvae.estimator.gmvae.train", train)


@pytest.fixture(scope="module")
def fitted() -> GMVAE:
    return GMVAE(**QUICK).fit(X)


@pytest.mark.usefixtures("begins")
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_taken_or_refused_by_name(name: str) -> None:
    more = {"method": "concrete"} if name == "temperature" else {}
    taken = 0
    for value in [*ODD, *([SAME[name]] if name in SAME else [])]:
        gmvae = GMVAE(**{**QUICK, **more, name: value})
        before = gmvae.get_params()
        with pytest.raises((Begun, ValueError)) as caught:
            gmvae.fit(X)
        assert all(gmvae.get_params()[n] is before[n] for n in before)
        taken += caught.type is Begun
        assert caught.type is Begun or name in str(caught.value), str(caught.value)
    assert taken, f"no value of {name} is taken"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": True}, "n_components must be an int, got True"),
        ({"n_components": np.True_}, "n_components must be an int, got True"),
        ({"n_components": 10**9}, "n_components must be at least 1 and at most 100000, got 10000"),
        ({"hidden": (10**9,)}, "hidden must be at least 1 and at most 100000, got 1000000000"),
        ({"latent_dim": 10**9}, "latent_dim must be at least 1 and at most 100000"),
        ({"batch_size": 10**18}, "batch_size must be at least 1 and at most 1000000000"),
        ({"max_iter": 10**30}, "max_iter must be at least 1 and at most 1000000000"),
        ({"num_samples": 10**9}, "num_samples must be at least 1 and at most 1000000"),
        ({"annealing_epochs": float("inf")}, "annealing_epochs must be a number, got inf"),
        ({"learning_rate": 1e308}, "learning_rate must be above 0 and at most 1e.06, got 1e"),
        ({"temperature": 1e-300}, "temperature must be at least 0.001, got 1e-300"),
        ({"random_state": -1}, "random_state must be at least 0 and below 9223372036854775808"),
        ({"random_state": 2.5}, "random_state must be an int, a numpy.random.RandomState or None"),
        ({"random_state": True}, "random_state must be an int"),
        ({"verbose": "yes"}, "verbose must be True or False, got 'yes'"),
        ({"device": "cuda:1"}, "device must be one of auto, cpu, cuda, got 'cuda:1'"),
    ],
    ids=str,
)
def test_words(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GMVAE(**QUICK | parameters).fit(X)


@pytest.mark.usefixtures("begins")
def test_a_network_beyond_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "BYTES", 2**40)
    with pytest.raises(InputError, match="too little memory for .* weights .*lower hidden"):
        GMVAE(**QUICK).fit(X)


@pytest.mark.usefixtures("begins")
def test_so_many_rows_held_out_that_too_few_stay() -> None:
    many = np.random.RandomState(0).randn(200, 2)
    with pytest.raises(InputError, match="8 clusters are more than the 2 .*validation_fraction"):
        GMVAE(validation_fraction=0.99).fit(many)
    with pytest.raises(InputError, match="validation fraction"):
        GMVAE(validation_fraction=0.9999999).fit(many)


@pytest.mark.parametrize("n_components", [1, 2])
def test_two_rows(n_components: int) -> None:
    gmvae = GMVAE(n_components, max_iter=1, random_state=0, hidden=(4,)).fit(X[:2])
    assert gmvae.labels_.shape == (2,) and np.isfinite(gmvae.score(X[:2]))


def test_images_of_one_pixel() -> None:
    images = np.random.RandomState(0).randint(0, 256, (40, 1, 1)).astype(np.uint8)
    gmvae = GMVAE(**QUICK | {"regularize": "none"}).fit(images)
    assert gmvae.sample(3)[0].shape == (3, 1, 1, 1) and np.isfinite(gmvae.score(images))


@pytest.mark.parametrize("seed", [2**32 - 1, 2**32, 2**40, 2**63 - 1])
def test_a_large_seed_serves_the_training_and_the_samples(seed: int) -> None:
    gmvae = GMVAE(**QUICK | {"random_state": seed}).fit(X)
    np.testing.assert_array_equal(gmvae.sample(4)[0], gmvae.sample(4)[0])


def test_seeds_give_the_draws_of_numpy_and_differ() -> None:
    assert generator_of(7).randint(2**31) == np.random.RandomState(7).randint(2**31)
    drawn = {generator_of(s).randint(2**31) for s in (3, 2**32 + 3, 2**33 + 3, 2**62 + 3)}
    assert len(drawn) == 4


@pytest.mark.parametrize("n", [2.5, True, "3", None, 0, -1, [3], float("nan"), 10**30, 10**9])
def test_numbers_of_samples(fitted: GMVAE, n: Any) -> None:
    words = "n_samples must be|too little memory for 1000000000 draws.* draw fewer"
    with pytest.raises(InputError, match=words):
        # Even a machine of 100 GiB has too little for a billion rows of 2 columns.
        fitted.sample(n)
    assert fitted.sample(np.int64(3))[0].shape == fitted.sample(np.array(3))[0].shape == (3, 2)


@pytest.mark.parametrize(
    ("name", "value", "method"),
    [
        ("num_samples", 0, "score_samples"),
        ("num_samples", "3", "score"),
        ("num_samples", 10**9, "to_inference_data"),
        ("device", "cuda:1", "predict"),
        ("device", 3, "transform"),
        ("random_state", "a", "sample"),
        ("verbose", "yes", "fit"),
    ],
)
def test_parameters_set_after_the_training(
    fitted: GMVAE, name: str, value: Any, method: str
) -> None:
    changed = clone(fitted)
    changed.__dict__.update(vars(fitted))
    changed.set_params(**{name: value})
    argument = 3 if method == "sample" else X
    with pytest.raises(ValueError, match=f"^{name} must be"):
        getattr(changed, method)(argument)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_draws": 0}, "num_draws must be at least 1"),
        ({"num_draws": 10**9}, "num_draws must be at least 1 and at most 1000000"),
        ({"num_samples": True}, "num_samples must be an int"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": 2**63}, "seed must be at least 0 and below"),
        ({"feature_names": ["a"]}, "1 feature names for 2 features"),
    ],
    ids=str,
)
def test_options_of_the_export(fitted: GMVAE, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fitted.to_inference_data(X, **options)


def test_an_unknown_option_of_the_export(fitted: GMVAE) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'magic'"):
        fitted.to_inference_data(X, magic=1)


@pytest.mark.parametrize("verbose", [True, 1, np.True_, np.int64(1)])
def test_verbose_as_scikit_learn_has_it(verbose: Any, capfd: pytest.CaptureFixture) -> None:
    GMVAE(**QUICK | {"verbose": verbose}).fit(X)
    assert "ELBO" in capfd.readouterr().err
