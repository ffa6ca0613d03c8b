"""What the caller has open does not reach a fit, and is as it was afterwards."""

from __future__ import annotations

import copy
import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pyro
import pytest
import torch
from pyro.poutine import runtime
from torch import Tensor
from torch.distributions import Distribution

from pyro_gmvae import GMVAE, evaluation
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.models import METHODS
from pyro_gmvae.networks import MLPEncoder
from pyro_gmvae.process.alone import alone
from pyro_gmvae.training import TrainConfig, fit
from tests.cli.conftest import TINY, run_cli, write_table
from tests.helpers.tiny import blobs, quick, same_weights, tiny, weights_of

pytestmark = pytest.mark.usefixtures("unchecked_shapes")

Context = Callable[[], AbstractContextManager[Any]]
X = blobs()[0].numpy()


@contextmanager
def torch_unvalidated() -> Iterator[None]:
    """torch's own validation off, which Pyro's may then turn on again by mistake."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


SURROUNDINGS: dict[str, Context] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "device": lambda: torch.device("meta"),
    "plate": lambda: pyro.plate("data", 7),
    "scale": lambda: pyro.poutine.scale(scale=3.0),
    "trace": pyro.poutine.trace,
    "block": pyro.poutine.block,
    "validation": lambda: pyro.validation_enabled(True),
    "no_validation": torch_unvalidated,
    "deterministic": deterministic,
}
surrounded = pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)


def ambient() -> dict[str, Any]:
    """What a call must leave as it found it."""
    return {
        "handlers": list(runtime._PYRO_STACK),
        "plates": list(runtime._DIM_ALLOCATOR._stack),
        "settings": pyro.settings.get(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "device": torch.get_default_device(),
        "draws": torch.get_rng_state().tolist(),
    }


def estimator(method: str = "sparse") -> GMVAE:
    options = {"hidden": (8,), "latent_dim": 2, "init_params": "random"}
    return GMVAE(3, method=method, max_iter=2, random_state=0, **options)


def readings(gmvae: GMVAE) -> list[Tensor]:
    x, y = gmvae.sample(5)
    figures = [gmvae.predict_proba(X), gmvae.transform(X), gmvae.score_samples(X[:9]), x, y]
    return [torch.from_numpy(figure) for figure in figures]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def outside() -> GMVAE:
    return estimator().fit(X)


class TestSurroundings:
    @surrounded
    def test_an_estimator_fits_and_answers_as_outside(
        self, surroundings: Context, outside: GMVAE, tmp_path: Path
    ) -> None:
        with surroundings():
            before = ambient()
            inside = estimator().fit(X)
            answers = readings(inside)
            inside.save(tmp_path / "run")
            loaded = readings(GMVAE.load(tmp_path / "run"))
            assert ambient() == before
        assert same_weights(weights_of(inside.model_), weights_of(outside.model_))
        assert equal(answers, readings(outside))
        assert equal(loaded, answers)

    @surrounded
    def test_a_training_is_that_of_outside(self, surroundings: Context) -> None:
        config, trained = quick(epochs=2, seed=0), tiny("sparse")
        fit(trained, blobs()[0], config, validation=blobs(30, seed=1)[0])
        with surroundings() if surroundings is not SURROUNDINGS["device"] else nullcontext():
            x, validation = blobs()[0], blobs(30, seed=1)[0]
            gmvae = tiny("sparse")
            before = ambient()
            fit(gmvae, x, config, validation=validation)
            assert ambient() == before
        assert same_weights(weights_of(gmvae), weights_of(trained))

    @pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode])
    def test_the_command_trains_the_same(
        self, surroundings: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write_table(Path("x.csv"))
        for name, context in (("outside", nullcontext), ("inside", surroundings)):
            with context():
                assert (
                    run_cli(
                        "train", "x.csv", "--label-column", "kind", "--out", name, *TINY
                    ).exit_code
                    == 0
                )
        outside, inside = (Path(name, "weights.safetensors") for name in ("outside", "inside"))
        assert inside.read_bytes() == outside.read_bytes()

    def test_what_is_made_in_inference_mode_can_be_trained_copied_and_saved(
        self, tmp_path: Path
    ) -> None:
        with torch.inference_mode():
            gmvae = estimator().fit(X)
            gmvae.save(tmp_path / "run")
            made = [gmvae, GMVAE.load(tmp_path / "run")]
        for each in made:
            model, encoding = copy.deepcopy(each.model_), each.encoding_
            fit(model, torch.from_numpy(X), quick(epochs=1, seed=0), transform=encoding)
            assert not same_weights(weights_of(model), weights_of(each.model_))
            FittedModel(model, encoding).to("cpu", torch.float64).responsibilities(
                torch.from_numpy(X)
            )

    def test_a_network_of_inference_mode_is_refused(self) -> None:
        with torch.inference_mode():
            encoder = MLPEncoder((4,), (8,))
        gmvae = tiny("exact", encoder=encoder)
        with pytest.raises(InputError, match="inference_mode"):
            fit(gmvae, blobs()[0], TrainConfig(epochs=1, device="cpu"))

    def test_an_error_puts_everything_back(self) -> None:
        before = ambient()
        with pytest.raises(InputError):
            fit(tiny(), blobs()[0], quick(), labels=torch.full((60,), 9))
        assert ambient() == before


class TestDefaultDtype:
    @pytest.mark.parametrize("method", METHODS)
    def test_a_fitted_model_answers_the_same_under_float64(
        self, method: str, tmp_path: Path
    ) -> None:
        gmvae = estimator(method).fit(X)
        gmvae.save(tmp_path / "run")
        expected = readings(gmvae)
        torch.set_default_dtype(torch.float64)
        try:
            answers, loaded = readings(gmvae), readings(GMVAE.load(tmp_path / "run"))
        finally:
            torch.set_default_dtype(torch.float32)
        assert equal(answers, expected)
        assert equal(loaded, expected)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_fit_under_float64_has_weights_in_it(self, method: str, tmp_path: Path) -> None:
        torch.set_default_dtype(torch.float64)
        try:
            gmvae = estimator(method).fit(X)
            expected = readings(gmvae)
            gmvae.save(tmp_path / "run")
        finally:
            torch.set_default_dtype(torch.float32)
        assert {p.dtype for p in gmvae.model_.parameters()} == {torch.float64}
        assert equal(readings(GMVAE.load(tmp_path / "run")), expected)


class TestDecorator:
    def test_a_call_within_a_call_goes_on_in_its_surroundings(self) -> None:
        @alone
        def inner() -> bool:
            return torch.is_grad_enabled()

        @alone
        def outer() -> tuple[bool, bool, bool]:
            with torch.no_grad():
                return torch.is_grad_enabled(), inner(), torch.is_grad_enabled()

        assert outer() == (False, False, False)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
    def test_a_forked_process_has_nothing_of_a_call_in_another_thread(self) -> None:
        before, begun, end = ambient(), threading.Event(), threading.Event()

        @alone
        def training() -> None:
            with pyro.validation_enabled(False), pyro.plate("data", 3):
                begun.set()
                end.wait()

        thread = threading.Thread(target=training)
        thread.start()
        begun.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(0 if ambient() == before else 1)
        status = os.waitpid(child, 0)[1]
        end.set()
        thread.join()
        assert status == 0
        assert ambient() == before


def test_everything_public_that_runs_a_model_is_alone() -> None:
    """A new function would otherwise be forgotten; `summarize` and `given` run no model."""
    functions = {name: getattr(evaluation, name) for name in evaluation.__all__}
    doors = {
        name: function
        for name, function in functions.items()
        if inspect.isfunction(function)
        and {"gmvae", "models"} & set(inspect.signature(function).parameters)
    }
    doors |= {
        name: member
        for name, member in inspect.getmembers(FittedModel, inspect.isfunction)
        if not name.startswith("_")
    }
    assert len(doors) > 10
    open_ones = {
        n for n, f in doors.items() if "@alone" not in inspect.getsource(inspect.unwrap(f))
    }
    assert open_ones == {"default_batch_size", "free_parameters", "given", "summarize"}
