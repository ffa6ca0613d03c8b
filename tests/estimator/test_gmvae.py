"""`pyro_gmvae.GMVAE`, the scikit-learn face."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.plan import seeds_of
from pyro_gmvae.fitting.starts import information
from pyro_gmvae.likelihoods import Gaussian
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainResult

# The commands' tests check the shapes of the same code; checked, a fit takes thrice as long.
pytestmark = pytest.mark.usefixtures("unchecked_shapes")

CENTERS = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
QUICK = {"hidden": (16,), "latent_dim": 2, "max_iter": 5, "random_state": 0}


def blobs(n: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return make_blobs(n, centers=CENTERS, random_state=seed)


@pytest.fixture(scope="module")
def fitted() -> GMVAE:
    return GMVAE(3, hidden=(32,), max_iter=40, random_state=0).fit(blobs(300)[0])


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return (load_digits().images[:120] * 15.9).astype(np.uint8)


class TestClusters:
    @pytest.mark.parametrize(("method", "seed"), [("exact", 0), ("sparse", 3)])
    def test_three_blobs_are_found(self, method: str, seed: int) -> None:
        x, y = blobs(300)
        gmvae = GMVAE(3, method=method, random_state=seed).fit(x)
        assert adjusted_rand_score(y, gmvae.labels_) > 0.95
        np.testing.assert_array_equal(gmvae.predict(x), gmvae.labels_)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_regulariser_keeps_them_apart_whatever_the_method(self, method: str) -> None:
        """The Concrete and the marginal method merge two of them for some seeds without it."""
        x, y = blobs(300)
        gmvae = GMVAE(
            3,
            method=method,
            random_state=0,
            regularize="adversarial",
            init_params="kmeans",
            max_iter=30,
        ).fit(x)
        assert adjusted_rand_score(y, gmvae.labels_) > 0.95
        np.testing.assert_array_equal(gmvae.predict(x), gmvae.labels_)

    def test_largest_cluster_is_first_and_empty_ones_last(self) -> None:
        x, _ = make_blobs([20, 60, 40], centers=CENTERS, random_state=0)
        labels = GMVAE(5, max_iter=30, random_state=0).fit_predict(x)
        sizes = np.bincount(labels, minlength=5)
        assert (np.diff(sizes) <= 0).all()

    def test_shapes_and_attributes(self, fitted: GMVAE) -> None:
        x, _ = blobs(20)
        assert fitted.predict(x).shape == (20,)
        assert fitted.predict_proba(x).shape == (20, 3)
        np.testing.assert_allclose(fitted.predict_proba(x).sum(1), 1)
        assert fitted.transform(x).shape == (20, 2)
        assert fitted.score_samples(x).shape == (20,)
        assert fitted.score(x) == pytest.approx(fitted.score_samples(x).mean())
        assert fitted.weights_.shape == (3,) and fitted.weights_.sum() == pytest.approx(1)
        assert fitted.means_.shape == fitted.scales_.shape == (3, 2)
        assert (fitted.scales_ > 0).all()
        assert fitted.n_iter_ == len(fitted.history_) == 40
        assert list(fitted.get_feature_names_out()[:2]) == ["gmvae0", "gmvae1"]

    def test_one_cluster(self) -> None:
        gmvae = GMVAE(1, **QUICK).fit(blobs()[0])
        assert set(gmvae.labels_) == {0}

    def test_n_init_keeps_the_best(self) -> None:
        x, _ = blobs()
        seeds = seeds_of(0, 3)
        single = [GMVAE(3, **QUICK | {"random_state": s}).fit(x).lower_bound_ for s in seeds]
        assert len(set(single)) == 3
        assert GMVAE(3, n_init=3, **QUICK).fit(x).lower_bound_ == max(single)

    def test_random_start(self) -> None:
        x, _ = blobs()
        assert GMVAE(3, init_params="random", **QUICK).fit(x).labels_.shape == (90,)


class TestRandomness:
    def test_same_seed_same_result(self) -> None:
        x, _ = blobs()
        one, two = GMVAE(3, **QUICK).fit(x), GMVAE(3, **QUICK).fit(x)
        np.testing.assert_array_equal(one.predict_proba(x), two.predict_proba(x))
        np.testing.assert_array_equal(one.sample(9)[0], two.sample(9)[0])
        other = GMVAE(3, **QUICK | {"random_state": 1}).fit(x)
        assert not np.array_equal(one.score_samples(x), other.score_samples(x))

    def test_global_generators_are_left_alone(self, fitted: GMVAE) -> None:
        x, _ = blobs()
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        gmvae = GMVAE(3, **QUICK).fit(x)
        gmvae.score(x)
        gmvae.sample(3)
        assert torch.equal(torch.get_rng_state(), before[0])
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002

    def test_score_of_a_row_depends_on_the_row_alone(self, fitted: GMVAE) -> None:
        x, _ = blobs()
        order = np.random.RandomState(0).permutation(len(x))[:30]
        np.testing.assert_allclose(fitted.score_samples(x)[order], fitted.score_samples(x[order]))


class TestDensity:
    def test_score_is_the_log_density_in_raw_units(self) -> None:
        scale = np.array([0.01, 500.0])
        x = np.random.RandomState(0).randn(1000, 2) * scale + [3, -1000]
        gmvae = GMVAE(1, latent_dim=2, hidden=(32,), random_state=0, num_samples=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            gmvae.fit(x)
        truth = -(((x - [3, -1000]) / scale) ** 2 / 2).sum(1) - np.log(2 * np.pi * scale.prod())
        assert gmvae.score(x) == pytest.approx(truth.mean(), abs=0.1)
        assert gmvae.lower_bound_ <= gmvae.score(x) + 0.02
        assert gmvae.lower_bound_ == pytest.approx(truth.mean(), abs=0.2)

    def test_noise_is_less_likely(self, fitted: GMVAE) -> None:
        noise = np.random.RandomState(0).uniform(-30, 30, (90, 2))
        assert fitted.score(blobs(90, seed=1)[0]) > fitted.score(noise) + 5

    def test_samples_are_like_the_data(self) -> None:
        data, _ = blobs(300)
        options = {"hidden": (32,), "latent_dim": 2, "learning_rate": 5e-3, "batch_size": 50}
        fitted = GMVAE(3, random_state=0, **options).fit(data)
        x, y = fitted.sample(3000)
        assert x.shape == (3000, 2) and (np.diff(y) >= 0).all()
        np.testing.assert_allclose(x.mean(0), data.mean(0), atol=0.5)
        for k in range(3):
            # The centres are 8 apart.
            of_cluster = data[fitted.labels_ == k]
            np.testing.assert_allclose(x[y == k].mean(0), of_cluster.mean(0), atol=0.8)
        np.testing.assert_allclose(np.bincount(y) / 3000, fitted.weights_, atol=0.05)
        with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
            fitted.sample(0)


class TestInputs:
    def test_every_type_gives_the_same(self) -> None:
        x, _ = blobs()
        x = x.astype(np.float32).astype(np.float64)
        expected = GMVAE(3, **QUICK).fit(x).labels_
        frame = pd.DataFrame(x, columns=["a", "b"])
        for same in (x.astype(np.float32), x.tolist(), torch.from_numpy(x), frame):
            np.testing.assert_array_equal(GMVAE(3, **QUICK).fit(same).labels_, expected)

    def test_precision_of_the_answers_is_that_of_the_data(self, fitted: GMVAE) -> None:
        for dtype in (np.float32, np.float64):
            x = blobs()[0].astype(dtype)
            for answer in (fitted.transform(x), fitted.predict_proba(x), fitted.score_samples(x)):
                assert answer.dtype == dtype

    def test_names_of_columns(self) -> None:
        frame = pd.DataFrame(blobs()[0], columns=["a", "b"])
        gmvae = GMVAE(3, **QUICK).fit(frame)
        assert list(gmvae.feature_names_in_) == ["a", "b"]
        with pytest.raises(ValueError, match="feature names"):
            gmvae.predict(frame[["b", "a"]])

    @pytest.mark.parametrize(
        ("likelihood", "regularize", "network"),
        [("auto", "auto", "conv"), ("gaussian", "none", None), ("bernoulli", "none", None)],
    )
    def test_images(
        self,
        images: np.ndarray,
        likelihood: str,
        regularize: str,
        network: str | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(information, "MIN_STEPS", 5)  # the mechanism is asked, not quality
        options = QUICK | {"likelihood": likelihood, "regularize": regularize}
        gmvae = GMVAE(4, **options).fit(images)
        assert gmvae.model_.options["cluster_network"] == network
        assert gmvae.n_features_in_ == 64
        assert gmvae.labels_.shape == (120,)
        np.testing.assert_array_equal(gmvae.predict(torch.from_numpy(images)), gmvae.labels_)
        assert gmvae.sample(5)[0].shape == (5, 1, 8, 8)
        assert np.isfinite(gmvae.score_samples(images)).all()
        with pytest.raises(
            InputError, match="has images of shape .1, 4, 8., the model was trained on"
        ):
            gmvae.predict(images[:, :4])

    def test_zeros_and_ones_are_bernoulli(self) -> None:
        x = (np.random.RandomState(0).rand(60, 5) < 0.3).astype(float)
        gmvae = GMVAE(2, **QUICK).fit(x)
        assert gmvae.model_.options["likelihood"] == "bernoulli"
        assert (gmvae.score_samples(x) < 0).all()  # a mass, not a density
        assert set(np.unique(gmvae.sample(50)[0])) == {0.0, 1.0}
        with pytest.raises(InputError, match=r"values in \[0, 1\]"):
            gmvae.predict(x + 0.5)

    def test_constant_column(self) -> None:
        x = np.column_stack([blobs()[0], np.full(90, 7.0)])
        assert np.isfinite(GMVAE(3, **QUICK).fit(x).score(x))

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"n_components": 0}, "n_components must be at least 1"),
            ({"n_components": 91}, "n_components = 91, n_samples = 90"),
            ({"method": "gibbs"}, "method must be one of sparse, exact"),
            ({"init_params": "kmean"}, "init_params must be one of"),
            ({"likelihood": "poisson"}, "likelihood must be one of"),
            ({"likelihood": "bernoulli"}, r"values in \[0, 1\]"),
            ({"init_params": "information"}, "needs a regulariser: name its moves by regularize"),
            ({"regularize": "affine"}, "affine is for images"),
            ({"latent_dim": 0}, "latent_dim must be at least 1"),
            ({"hidden": ()}, "hidden must have one size at least"),
            ({"method": "concrete", "temperature": -1.0}, "temperature must be at least 0.001"),
            ({"learning_rate": 0.0}, "learning_rate must be above 0"),
            ({"max_iter": 0}, "max_iter must be at least 1"),
            ({"n_init": 0}, "n_init must be at least 1"),
            ({"n_components": 2.5}, "n_components must be an int, got 2.5"),
            ({"n_components": "3"}, "n_components must be an int, got '3'"),
            ({"batch_size": 12.5}, "batch_size must be an int"),
            ({"num_samples": 2.5}, "num_samples must be an int"),
            ({"hidden": 64}, "hidden must be ints"),
            ({"hidden": (8.5,)}, "hidden must be ints"),
            ({"learning_rate": "a"}, "learning_rate must be a number"),
            ({"regularize": None}, "regularize must be text"),
            ({"likelihood": Gaussian}, "likelihood must be a name"),
            ({"num_samples": 0}, "num_samples must be at least 1"),
            ({"validation_fraction": 1.0}, "validation_fraction must be at least 0 and below 1"),
            ({"annealing_epochs": -1}, "annealing_epochs must be at least 0"),
            ({"annealing_epochs": float("inf")}, "annealing_epochs must be a number"),
            ({"n_components": True}, "n_components must be an int"),
            ({"precision": "float16"}, "precision must be one of"),
            ({"device": "tpu"}, "device must be one of"),
        ],
    )
    def test_bad_parameters(self, parameters: dict, message: str, unchecked_shapes: None) -> None:
        with pytest.raises(ValueError, match=message):
            GMVAE(**{"n_components": 3} | QUICK | parameters).fit(blobs()[0])

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (np.array([[1.0, np.inf], [2.0, 3.0]]), "inf"),
            (np.array([[1.0, 1e308], [2.0, 3.0]]), "too large"),
            (np.array([["a", "b"], ["c", "d"]]), "'a' in row 0 of column 0, which is no number"),
            (np.full((4, 5, 5), 2.0), "store images as uint8"),
            (np.full((4, 1, 5, 5), 2.0), "store images as uint8"),
            (np.zeros((0, 2)), "0 sample"),
            (np.zeros(5), "1D array"),
        ],
    )
    def test_bad_data(self, x: np.ndarray, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            GMVAE(1, **QUICK).fit(x)

    def test_columns_far_from_zero(self) -> None:
        # As the seconds since 1970 are: float32 has steps of 128 there.
        x, y = blobs()
        options = {"max_iter": 20, "random_state": 1}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            near, far = (GMVAE(3, **options).fit(at) for at in (x, x + 1.7e9))
        assert adjusted_rand_score(y, far.labels_) == 1
        assert far.score(x + 1.7e9) == pytest.approx(near.score(x), abs=0.05)
        assert far.sample(50)[0].std(0) == pytest.approx(near.sample(50)[0].std(0), rel=0.01)

    @pytest.mark.parametrize("method", ["predict", "transform", "score_samples", "sample", "save"])
    def test_not_fitted(self, method: str) -> None:
        argument = "folder" if method == "save" else 3 if method == "sample" else blobs()[0]
        with pytest.raises(NotFittedError):
            getattr(GMVAE(), method)(argument)


class TestEarlyStopping:
    def test_stops_and_says_so(self) -> None:
        x, _ = blobs(600)
        settings = QUICK | {"max_iter": 300, "learning_rate": 0.03, "annealing_epochs": 1}
        gmvae = GMVAE(3, patience=2, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            gmvae.fit(x)
        assert gmvae.converged_ and gmvae.n_iter_ < 300

    def test_warns_if_time_ran_out(self) -> None:
        free = QUICK | {"likelihood": "gaussian_predicted"}
        with pytest.warns(ConvergenceWarning, match="increase max_iter"):
            gmvae = GMVAE(3, **free).fit(blobs(600)[0])
        assert not gmvae.converged_

    def test_few_rows_train_without(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            gmvae = GMVAE(3, **QUICK).fit(blobs(90)[0])
        assert "validation_elbo" not in gmvae.history_[0]


class TestKeeping:
    def test_save_and_load(self, tmp_path, unchecked_shapes: None) -> None:
        frame = pd.DataFrame(blobs()[0], columns=["a", "b"])
        settings = QUICK | {"n_components": np.int64(3), "hidden": (np.int64(8), 8)}
        saved = GMVAE(method="exact", **settings).fit(frame)
        saved.save(tmp_path / "run")
        loaded = GMVAE.load(tmp_path / "run")
        assert loaded.get_params() == saved.get_params()
        assert loaded.history_ == saved.history_
        for name in ("converged_", "n_iter_", "lower_bound_", "n_features_in_"):
            assert getattr(loaded, name) == getattr(saved, name)
        for method in ("predict_proba", "transform", "score_samples"):
            np.testing.assert_array_equal(
                getattr(loaded, method)(frame), getattr(saved, method)(frame)
            )
        np.testing.assert_array_equal(loaded.sample(20)[0], saved.sample(20)[0])
        np.testing.assert_array_equal(loaded.weights_, saved.weights_)
        assert list(loaded.feature_names_in_) == ["a", "b"]
        with pytest.raises(InputError, match="exists"):
            saved.save(tmp_path / "run")
        saved.save(tmp_path / "run", overwrite=True)

    def test_images_and_generators_are_saved(self, tmp_path, images: np.ndarray) -> None:
        rng = np.random.RandomState(3)
        saved = GMVAE(4, regularize="none", **QUICK | {"random_state": rng}).fit(images)
        saved.save(tmp_path / "run")
        loaded = GMVAE.load(tmp_path / "run")
        assert isinstance(loaded.random_state, int)  # the seed that the generator gave
        np.testing.assert_array_equal(loaded.predict_proba(images), saved.predict_proba(images))

    def test_a_run_without_metrics(self, tmp_path) -> None:
        GMVAE(3, **QUICK).fit(blobs()[0]).save(tmp_path)
        (tmp_path / "metrics.csv").unlink()
        assert GMVAE.load(tmp_path).history_ == []

    def test_no_run(self, tmp_path) -> None:
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(InputError, match="not a complete run"):
            GMVAE.load(tmp_path)

    def test_pickle_and_clone(self, fitted: GMVAE) -> None:
        x, _ = blobs()
        copy = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(copy.score_samples(x), fitted.score_samples(x))
        fresh = clone(fitted).set_params(latent_dim=4)
        assert fresh.get_params() == fitted.get_params() | {"latent_dim": 4}
        assert not hasattr(fresh, "model_")

    def test_arviz(self, fitted: GMVAE) -> None:
        x, _ = blobs()
        data = fitted.to_inference_data(x[:10], num_draws=4, num_samples=20)
        assert data["posterior"]["z"].shape == (1, 4, 10, 2)
        assert data["sample_stats"]["log_p"].shape == (1, 1, 10)
        assert data["prior_predictive"]["x"].shape == data["posterior_predictive"]["x"].shape


class TestCompany:
    def test_pipeline(self) -> None:
        x, _ = blobs()
        pipeline = make_pipeline(StandardScaler(), GMVAE(3, **QUICK)).fit(x)
        assert pipeline.transform(x).shape == (90, 2)
        np.testing.assert_array_equal(pipeline.predict(x), pipeline[-1].labels_)

    def test_grid_search(self) -> None:
        search = GridSearchCV(GMVAE(**QUICK), {"n_components": [1, 3]}, cv=2).fit(blobs()[0])
        assert np.isfinite(search.best_score_)
        assert search.best_params_["n_components"] in (1, 3)

    def test_import_is_lazy(self) -> None:
        code = "import sys, pyro_gmvae; assert 'sklearn' not in sys.modules; pyro_gmvae.GMVAE()"
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_verbose(self, capfd: pytest.CaptureFixture) -> None:
        GMVAE(3, verbose=True, **QUICK).fit(blobs()[0])
        assert "ELBO" in capfd.readouterr().err


class TestInit:
    """Clusters to begin near."""

    @pytest.mark.parametrize("soft", [False, True])
    def test_begins_near_the_clusters_given(
        self, soft: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Halves of the blobs that no other start finds, before the training leaves them."""
        x, y = blobs()
        halves = np.where(y == 2, 1, y)
        init = np.eye(2)[halves] if soft else halves
        monkeypatch.setattr(
            "pyro_gmvae.fitting.train.fit", lambda *a, **k: TrainResult([{}], "epochs", None, 0)
        )
        found = GMVAE(2, batch_size=30, learning_rate=1e-2, **QUICK).fit(x, init=init).labels_
        assert adjusted_rand_score(halves, found) > 0.95

    def test_refuses_what_does_not_fit(self, unchecked_shapes: None) -> None:
        x, y = blobs()
        for init in (y[:-1], np.eye(4)[y], y + 1, np.full((90, 3), 0.5)):
            with pytest.raises(InputError):
                GMVAE(3, **QUICK).fit(x, init=init)

    def test_given_clusters_are_in_place_of_the_start(self) -> None:
        """Even of one that could not be: information has no regulariser to go by here."""
        x, y = blobs()
        options = QUICK | {"init_params": "information", "regularize": "none", "max_iter": 1}
        assert GMVAE(3, **options).fit(x, init=y).labels_.shape == (90,)
