"""Fits and answers in threads are those of each alone, bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import pytest
import torch
from joblib import Parallel, delayed
from pyro.poutine import runtime

from pyro_gmvae import GMVAE, models
from pyro_gmvae.training import fit
from tests.helpers.tiny import blobs, quick, same_weights, tiny, weights_of

pytestmark = pytest.mark.usefixtures("unchecked_shapes")

X = blobs()[0].numpy()
OPTIONS: dict[str, Any] = {"max_iter": 2, "hidden": (8,), "latent_dim": 2}
SOME_AND_MANY = [
    pytest.param(3, 30, id="some"),
    pytest.param(100, 1000, id="many", marks=pytest.mark.slow),
]


def estimators() -> list[GMVAE]:
    """Three that differ in all that a fit may set: method, start and draws."""
    return [
        GMVAE(3, method="sparse", init_params="kmeans", random_state=0, **OPTIONS),
        GMVAE(2, method="exact", init_params="random", random_state=1, **OPTIONS),
        GMVAE(
            3,
            method="concrete",
            init_params="mixture",
            random_state=2,
            regularize="resample",
            **OPTIONS,
        ),
    ]


def outcome(gmvae: GMVAE) -> list[np.ndarray]:
    """A fit's weights and what it answers."""
    weights = [t.numpy() for t in gmvae.fit(X).model_.state_dict().values()]
    return [*weights, gmvae.predict_proba(X), gmvae.score_samples(X[:9]), *gmvae.sample(4)]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))


def shared_state() -> list[Any]:
    """What all threads have in common."""
    return [
        pyro.settings.get(),
        list(runtime._PYRO_STACK),
        list(runtime._DIM_ALLOCATOR._stack),
        list(pyro.get_param_store()),
        torch.get_rng_state().tolist(),
    ]


@pytest.mark.parametrize(("rounds", "calls"), SOME_AND_MANY)
def test_fits_at_once_are_those_alone(rounds: int, calls: int) -> None:
    alone, before = [outcome(each) for each in estimators()], shared_state()
    with ThreadPoolExecutor(3) as pool:
        for _ in range(rounds):
            together = list(pool.map(outcome, estimators()))
            assert all(map(same, together, alone))
    assert shared_state() == before


def test_trainings_at_once_are_those_alone() -> None:
    def trained(gmvae: models.GMVAE) -> dict[str, torch.Tensor]:
        fit(gmvae, blobs()[0], quick(seed=0))
        return weights_of(gmvae)

    alone, before = [trained(tiny(method)) for method in models.METHODS], shared_state()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(trained, [tiny(method) for method in models.METHODS]))
    assert all(map(same_weights, together, alone))
    assert shared_state() == before


@pytest.fixture(scope="module")
def fitted() -> GMVAE:
    return GMVAE(3, random_state=0, **OPTIONS).fit(X)


def exported(gmvae: GMVAE, call: int, folder: Path) -> list[np.ndarray]:
    data = gmvae.to_inference_data(X[:9], num_draws=2, num_samples=30)
    return [
        data.posterior.z.values,
        data.posterior_predictive.x.values,
        data.sample_stats.log_p.values,
    ]


def saved(gmvae: GMVAE, call: int, folder: Path) -> list[np.ndarray]:
    gmvae.save(folder / str(call))
    files = sorted((folder / str(call)).iterdir())
    return [np.array([file.name, hashlib.sha256(file.read_bytes()).hexdigest()]) for file in files]


READINGS: dict[str, Callable[[GMVAE, int, Path], list[np.ndarray]]] = {
    "predict": lambda gmvae, *_: [gmvae.predict(X)],
    "predict_proba": lambda gmvae, *_: [gmvae.predict_proba(X)],
    "transform": lambda gmvae, *_: [gmvae.transform(X)],
    "score_samples": lambda gmvae, *_: [gmvae.score_samples(X[:9])],
    "score": lambda gmvae, *_: [np.array(gmvae.score(X[:9]))],
    "sample": lambda gmvae, *_: list(gmvae.sample(9)),
    "to_inference_data": exported,
    "save": saved,
}


@pytest.mark.parametrize(("rounds", "calls"), SOME_AND_MANY)
def test_a_shared_estimator_answers_in_threads_as_alone(
    rounds: int, calls: int, fitted: GMVAE, tmp_path: Path
) -> None:
    alone = {name: read(fitted, -1, tmp_path) for name, read in READINGS.items()}
    modes, before = [m.training for m in fitted.model_.modules()], shared_state()

    def right(call: int, name: str) -> bool:
        return same(READINGS[name](fitted, call, tmp_path), alone[name])

    with ThreadPoolExecutor(4) as pool:
        # Calls of one method, and of all methods by turns.
        for name in READINGS:
            assert all(pool.map(partial(right, name=name), range(calls))), name
        names = list(READINGS) * (calls // len(READINGS))
        assert all(pool.map(right, range(calls, calls + len(names)), names))
    assert [m.training for m in fitted.model_.modules()] == modes
    assert shared_state() == before


def test_answers_during_fits_are_those_alone(fitted: GMVAE) -> None:
    expected, alone = fitted.predict_proba(X), [outcome(each) for each in estimators()]
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(outcome, each) for each in estimators()]
        while not all(done.done() for done in fits):
            assert np.array_equal(fitted.predict_proba(X), expected)
    assert all(same(done.result(), one) for done, one in zip(fits, alone, strict=True))


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_joblib_fits_as_alone(backend: str) -> None:
    alone = [gmvae.fit(X) for gmvae in estimators()[:2]]
    tasks = (delayed(GMVAE.fit)(gmvae, X) for gmvae in estimators()[:2])
    for together, one in zip(Parallel(n_jobs=2, backend=backend)(tasks), alone, strict=True):
        assert same_weights(weights_of(together.model_), weights_of(one.model_))
        assert np.array_equal(together.predict_proba(X), one.predict_proba(X))
