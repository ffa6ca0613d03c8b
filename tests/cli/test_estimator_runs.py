"""A run is a run, whether ``pyro-gmvae train`` or ``GMVAE.save`` wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyro_gmvae
from pyro_gmvae import GMVAE
from pyro_gmvae.data import load
from pyro_gmvae.run_data import load_run_rows
from tests.cli.conftest import TINY, Cli, write_table

OPTIONS: dict[str, Any] = {
    "hidden": (8,),
    "latent_dim": 2,
    "max_iter": 1,
    "init_params": "random",
    "regularize": "none",
    "device": "cpu",
    "random_state": 0,
}


def black_and_white(rows: int = 60) -> np.ndarray:
    """Nearly black and white images, which a Bernoulli likelihood suits."""
    rng = np.random.default_rng(0)
    lit = rng.random((rows, 6, 6)) < np.where(np.arange(6) < 3, 0.8, 0.2)
    x = np.where(lit, 255 - rng.integers(6, size=lit.shape), rng.integers(6, size=lit.shape))
    return x.astype(np.uint8)


def done(cli: Cli, *arguments: object) -> dict[str, Any]:
    result = cli(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def saved_table(cli: Cli) -> pd.DataFrame:
    """The rows of two saved models, in the folders a and b; they are also in x.csv."""
    write_table(Path("x.csv"))
    frame = pd.read_csv("x.csv")[["width", "height"]]
    for name, seed in (("a", 0), ("b", 1)):
        GMVAE(3, **OPTIONS | {"random_state": seed}).fit(frame).save(name)
    return frame


@pytest.fixture
def saved_images(cli: Cli) -> np.ndarray:
    """The images of two saved models, in the folders a and b; they are also in x.npy."""
    x = black_and_white()
    np.save("x.npy", x)
    for name, seed in (("a", 0), ("b", 1)):
        GMVAE(3, **OPTIONS | {"random_state": seed}).fit(x).save(name)
    return x


class TestSavedByTheEstimator:
    def test_a_table(self, cli: Cli, saved_table: pd.DataFrame) -> None:
        loaded = GMVAE.load("a")
        # The names bring the columns into the model's order, and the others are left out of it.
        saved_table[["height", "width"]].to_csv("turned.csv", index=False)
        judged = done(cli, "evaluate", "a", "turned.csv")
        assert (judged["n"], judged["clusters"], judged["split"]) == (60, 3, "all")
        # The estimator answers doubles in double precision.
        assert judged["log_likelihood"] == pytest.approx(loaded.score(saved_table), abs=1e-5)
        assert done(cli, "predict", "a", "turned.csv", "-o", "p.csv")["rows"] == 60
        found = pd.read_csv("p.csv")["cluster"].to_numpy()
        np.testing.assert_array_equal(found, loaded.predict(saved_table))
        done(cli, "sample", "a", "-o", "s.csv")
        assert list(pd.read_csv("s.csv")) == ["width", "height", "cluster"]
        report = done(cli, "stability", "a", "b", "--data", "turned.csv")
        assert (report["clusterings"], report["n"]) == (2, 60)
        words = cli("predict", "a", "x.csv", "-o", "p.csv").stderr
        assert "left out, for training did not have them: kind" in words

    def test_images(self, cli: Cli, saved_images: np.ndarray) -> None:
        loaded = GMVAE.load("a")
        assert done(cli, "evaluate", "a", "x.npy", "--samples", 5)["n"] == 60
        assert done(cli, "predict", "a", "x.npy", "-o", "p.csv")["rows"] == 60
        found = pd.read_csv("p.csv")["cluster"].to_numpy()
        np.testing.assert_array_equal(found, loaded.predict(saved_images))
        done(cli, "sample", "a", "-o", "s.png")
        assert Path("s.png").read_bytes().startswith(b"\x89PNG")
        assert done(cli, "stability", "a", "b", "--data", "x.npy")["n"] == 60

    @pytest.mark.parametrize(
        "command",
        ["evaluate a", "stability a b", "stability a --resamples 2", "prune a --out smaller"],
    )
    def test_its_own_rows_are_not_known(
        self, cli: Cli, saved_table: pd.DataFrame, command: str
    ) -> None:
        result = cli(*command.split())
        assert result.exit_code == 2
        assert "not trained from a named source: name the data" in result.stderr


class TestTrainedByTheCommand:
    def test_a_table(self, cli: Cli, trained_table: Path) -> None:
        loaded = GMVAE.load(trained_table)
        frame = pd.read_csv(trained_table.parent / "blobs.csv").drop(columns="kind")
        assert list(loaded.feature_names_in_) == ["width", "height"]
        assert (loaded.n_components, loaded.hidden, loaded.max_iter) == (3, (8,), 1)
        assert (loaded.init_params, loaded.regularize, loaded.random_state) == (
            "random",
            "none",
            0,
        )
        assert loaded.n_iter_ == 1 and loaded.weights_.shape == (3,)
        done(cli, "predict", trained_table, trained_table.parent / "blobs.csv", "-o", "p.csv")
        found = pd.read_csv("p.csv")["cluster"].to_numpy()
        np.testing.assert_array_equal(loaded.predict(frame), found)
        assert loaded.transform(frame).shape == (60, 2)
        with pytest.raises(ValueError, match="feature names"):
            loaded.predict(frame[["height", "width"]])

    def test_it_can_be_fitted_again_and_saved(self, cli: Cli, trained_table: Path) -> None:
        loaded = GMVAE.load(trained_table)
        frame = pd.read_csv(trained_table.parent / "blobs.csv").drop(columns="kind")
        before = loaded.predict_proba(frame)
        loaded.save("again")
        np.testing.assert_array_equal(GMVAE.load("again").predict_proba(frame), before)
        assert (
            pyro_gmvae.load("again").about.settings == pyro_gmvae.load(trained_table).about.settings
        )
        assert loaded.fit(frame).predict(frame).shape == (60,)

    def test_a_run_of_every_method(self, cli: Cli, trained_table: Path) -> None:
        source = trained_table.parent / "blobs.csv"
        for method in ("exact", "concrete", "marginal"):
            options = ["--label-column", "kind", "--method", method]
            done(cli, "train", source, "--out", method, *TINY, *options)
            assert GMVAE.load(method).method == method


class TestOneFigure:
    """``evaluate`` and ``score`` give the same figure to the last digit."""

    def test_of_digits(self, cli: Cli, trained_digits: Path) -> None:
        judged = done(cli, "evaluate", trained_digits, "digits")
        assert GMVAE.load(trained_digits).score(load("digits").x) == judged["log_likelihood"]

    def test_of_held_out_rows(self, cli: Cli, trained_digits: Path) -> None:
        """A row has the same figure whatever rows are beside it."""
        fitted = pyro_gmvae.load(trained_digits)
        held_out = load_run_rows(fitted, "test")
        judged = done(cli, "evaluate", trained_digits)
        loaded = GMVAE.load(trained_digits)
        assert loaded.score(held_out.x) == judged["log_likelihood"]
        whole = loaded.score_samples(load("digits").x)
        assert held_out.places is not None
        part = loaded.score_samples(held_out.x)
        np.testing.assert_allclose(whole[held_out.places.numpy()], part, rtol=1e-5)

    def test_of_images_that_are_binarised_anew_in_every_step(self, cli: Cli) -> None:
        x = black_and_white()
        np.save("x.npy", x)
        done(cli, "train", "x.npy", "--out", "run", *TINY)
        fitted = pyro_gmvae.load("run")
        assert fitted.gmvae.options["likelihood"] == "bernoulli"
        assert fitted.encoding.binarize == "dynamic"
        judged = done(cli, "evaluate", "run", "x.npy")
        assert GMVAE.load("run").score(x) == judged["log_likelihood"]
        assert done(cli, "evaluate", "run", "x.npy") == judged

    def test_of_a_saved_model(self, cli: Cli, saved_images: np.ndarray) -> None:
        judged = done(cli, "evaluate", "a", "x.npy")
        loaded = GMVAE.load("a")
        assert loaded.encoding_.binarize == "dynamic"
        assert loaded.score(saved_images) == judged["log_likelihood"]
