"""The estimator and the command train the same model, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyro_gmvae
from pyro_gmvae import GMVAE
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts import information
from tests.cli.conftest import run_cli
from tests.helpers.tiny import same_weights, without_seconds

SHARED: dict[str, Any] = {
    "hidden": (6,),
    "latent_dim": 2,
    "n_components": 3,
    "max_iter": 2,
    "random_state": 7,
    "device": "cpu",
}
OPTIONS = ["--hidden", "6", "--latent-dim", 2, "--clusters", 3, "--epochs", 2, "--seed", 7]
OPTIONS += ["--device", "cpu", "--test-fraction", 0, "--quiet"]


@pytest.fixture(autouse=True)
def short_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Starts by information of a few steps, in an empty folder."""
    monkeypatch.setattr(information, "MIN_STEPS", 4)
    monkeypatch.chdir(tmp_path)


def table(rows: int = 90) -> pd.DataFrame:
    """Three blobs in three columns of very different scales."""
    rng = np.random.default_rng(0)
    kind = np.arange(rows) % 3
    x = rng.normal(size=(rows, 3)) + 5 * np.eye(3)[kind]
    return pd.DataFrame(x * [1, 100, 0.01] + [0, 1e6, 3], columns=["width", "height", "depth"])


def pictures(rows: int = 60) -> np.ndarray:
    """Grey images, bright above or below."""
    rng = np.random.default_rng(0)
    x = rng.integers(100, size=(rows, 6, 6), dtype=np.uint8)
    x[::2, :3] += 150
    x[1::2, 3:] += 150
    return x


def assert_same(estimator: GMVAE, run: str, ignored: frozenset[str] = frozenset()) -> None:
    """The same weights, the same way there, and the same answers."""
    fitted, stored = estimator.fitted_, pyro_gmvae.load(run)
    assert same_weights(fitted.gmvae.state_dict(), stored.gmvae.state_dict())
    assert same_weights(fitted.encoding.state_dict(), stored.encoding.state_dict())
    assert fitted.encoding.to_config() == stored.encoding.to_config()
    assert fitted.gmvae.options == stored.gmvae.options
    assert without_seconds(fitted.history) == without_seconds(stored.history)
    for name in ("fingerprint", "known_rows", "stopped", "best_epoch", "n_steps", "lower_bound"):
        assert getattr(fitted.about, name) == getattr(stored.about, name), name
    # Where the rows are and what the estimator has no parameter for.
    ignored |= {"data", "labels", "must_link", "test_fraction"}
    ours, theirs = (
        {n: v for n, v in Settings.from_dict(about.settings).to_dict().items() if n not in ignored}
        for about in (fitted.about, stored.about)
    )
    assert ours | {"data_dir": ""} == theirs | {"data_dir": ""}


CASES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "by default": ({}, []),
    "anywhere": ({"init_params": "random"}, ["--initialization", "random"]),
    "regularised": (
        {"regularize": "resample+adversarial", "init_params": "kmeans"},
        ["--regularize", "resample+adversarial", "--initialization", "kmeans"],
    ),
    "two starts by information": (
        {"regularize": "resample", "n_init": 2},
        ["--regularize", "resample", "--starts", 2],
    ),
    "two trainings": (
        {"init_params": "random", "n_init": 2},
        ["--initialization", "random", "--starts", 2],
    ),
    "concrete": (
        {"method": "concrete", "temperature": 0.7, "init_params": "random"},
        ["--method", "concrete", "--temperature", 0.7, "--initialization", "random"],
    ),
    "another likelihood": (
        {"likelihood": "gaussian_predicted", "init_params": "random", "batch_size": 17},
        ["--likelihood", "gaussian_predicted", "--initialization", "random", "--batch-size", 17],
    ),
    "annealed": (
        {"init_params": "random", "annealing_epochs": 1.5, "learning_rate": 0.01},
        ["--initialization", "random", "--annealing-epochs", 1.5, "--learning-rate", 0.01],
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_a_table(case: str) -> None:
    parameters, options = CASES[case]
    table().to_csv("t.csv", index=False)
    estimator = GMVAE(**SHARED, **parameters).fit(table())
    done = run_cli("train", "t.csv", "--out", "run", *OPTIONS, *options)
    assert done.exit_code == 0, done.output
    assert_same(estimator, "run")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_table_with_rows_held_out() -> None:
    """Enough rows for validation: the same ones are held out."""
    table(600).to_csv("t.csv", index=False)
    estimator = GMVAE(**SHARED, init_params="random").fit(table(600))
    done = run_cli("train", "t.csv", "--out", "run", *OPTIONS, "--initialization", "random")
    assert done.exit_code == 0, done.output
    assert "validation_elbo" in estimator.history_[0]
    assert_same(estimator, "run")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("rows", [90, 600])
def test_a_table_with_labels(rows: int) -> None:
    labels = np.where(np.arange(rows) % 9 < 3, np.arange(rows) % 3, -1)
    known = np.flatnonzero(labels >= 0)
    table(rows).to_csv("t.csv", index=False)
    pd.DataFrame({"row": known, "label": labels[known]}).to_csv("known.csv", index=False)
    options = ["--labels", "known.csv", "--initialization", "random"]
    estimator = GMVAE(**SHARED, init_params="random").fit(table(rows), labels=labels)
    done = run_cli("train", "t.csv", "--out", "run", *OPTIONS, *options)
    assert done.exit_code == 0, done.output
    assert estimator.fitted_.about.known_rows == tuple(known)
    assert_same(estimator, "run")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_table_with_groups() -> None:
    groups = np.where(np.arange(90) < 12, np.arange(90) % 3, -1)
    table().to_csv("t.csv", index=False)
    pd.DataFrame({"row": np.arange(12), "group": groups[:12]}).to_csv("known.csv", index=False)
    options = ["--must-link", "known.csv", "--initialization", "random"]
    estimator = GMVAE(**SHARED, init_params="random").fit(table(), must_link=groups)
    done = run_cli("train", "t.csv", "--out", "run", *OPTIONS, *options)
    assert done.exit_code == 0, done.output
    assert estimator.fitted_.about.known_rows == tuple(range(12))
    assert_same(estimator, "run")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("schema", "options"),
    [
        (None, []),
        ({"age": "ordinal", "depth": "drop"}, ["--column", "age=ordinal", "--drop", "depth"]),
    ],
)
def test_a_table_of_mixed_columns_with_gaps(schema: Any, options: list[str]) -> None:
    rng = np.random.default_rng(1)
    frame = table().assign(
        tier=np.array(["gold", "iron", "tin"])[np.arange(90) % 3],
        age=rng.integers(20, 40, 90),
        member=rng.random(90) < 0.5,
        since=[f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(90)],
        visits=rng.poisson(3, 90),
    )
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    frame.to_csv("t.csv", index=False)
    estimator = GMVAE(**SHARED, schema=schema).fit(frame)
    done = run_cli("train", "t.csv", "--out", "run", *OPTIONS, *options)
    assert done.exit_code == 0, done.output
    assert_same(estimator, "run", ignored=frozenset({"column", "drop"}))
    # Whichever face reads new rows.
    np.testing.assert_array_equal(GMVAE.load("run").predict(frame), estimator.labels_)
    done = run_cli("predict", "run", "t.csv", "-o", "a.csv", "--quiet")
    assert done.exit_code == 0, done.output
    assert pd.read_csv("a.csv")["cluster"].tolist() == estimator.labels_.tolist()


IMAGE_CASES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "regularised, by default": ({}, []),
    "two starts by information": ({"n_init": 2}, ["--starts", 2]),
    "without a regulariser": ({"regularize": "none"}, ["--regularize", "none"]),
    "two trainings, binarised": (
        {"regularize": "none", "init_params": "random", "n_init": 2, "likelihood": "bernoulli"},
        ["--regularize", "none", "--initialization", "random", "--starts", 2]
        + ["--likelihood", "bernoulli"],
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", IMAGE_CASES)
def test_images(case: str) -> None:
    parameters, options = IMAGE_CASES[case]
    np.save("x.npy", pictures())
    estimator = GMVAE(**SHARED, **parameters).fit(pictures())
    done = run_cli("train", "x.npy", "--out", "run", *OPTIONS, *options)
    assert done.exit_code == 0, done.output
    assert_same(estimator, "run")
