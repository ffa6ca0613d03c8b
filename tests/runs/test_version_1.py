"""Runs that version 0.1 wrote, by its command and by its estimator, are still the same models.

The folders in tests/helpers/runs_v1 and the answers beside them were made by the code of version
0.1: a table by ``train`` with 600 rows of three named columns and a column of labels, ``digits`` by
``train --likelihood bernoulli``, and a table and images by ``GMVAE.save``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from torch import Tensor

import pyro_gmvae
from pyro_gmvae import GMVAE
from pyro_gmvae.data import ImageEncoding, TableEncoding, load
from pyro_gmvae.errors import InputError
from pyro_gmvae.estimator.parameters import settings_of_parameters
from pyro_gmvae.run_data import load_run_rows, settings_of
from pyro_gmvae.runs import read_training
from tests.cli.conftest import run_cli

RUNS = Path(__file__).parents[1] / "helpers" / "runs_v1"
NAMES = ("table", "digits", "saved-table", "saved-images")
ROWS = 40  # of each are in the answers


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    with np.load(RUNS / "answers.npz") as file:
        return dict(file)


def table(answers: dict[str, np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame(answers["table"], columns=answers["names"])


def raw(name: str, answers: dict[str, np.ndarray]) -> Tensor:
    """The rows that version 0.1 was asked about."""
    if name.endswith("table"):
        return torch.from_numpy(answers["table"])
    return load("digits").x[:ROWS]


def stored(name: str, answers: dict[str, np.ndarray], what: str) -> np.ndarray:
    return answers[f"{name.replace('-', '_')}_{what}"]


@pytest.mark.parametrize("name", NAMES)
def test_same_predictions(name: str, answers: dict[str, np.ndarray]) -> None:
    fitted = pyro_gmvae.load(RUNS / name)
    found = fitted.responsibilities(raw(name, answers)).numpy()
    np.testing.assert_allclose(found, stored(name, answers, "proba"), atol=1e-6)
    # Not all rows are of one cluster, or it would say little.
    assert len(np.unique(found.argmax(1))) == 2


@pytest.mark.parametrize("name", NAMES)
def test_same_predictions_by_the_estimator(name: str, answers: dict[str, np.ndarray]) -> None:
    loaded = GMVAE.load(RUNS / name)
    x = table(answers) if name.endswith("table") else raw(name, answers)[:, 0].numpy()
    expected = stored(name, answers, "proba")
    np.testing.assert_allclose(loaded.predict_proba(x), expected, atol=1e-6)
    np.testing.assert_array_equal(loaded.predict(x), expected.argmax(1))
    assert loaded.n_features_in_ == (3 if name.endswith("table") else 64)
    clone(loaded)
    # The parameters are ones that this version trains by.
    assert settings_of_parameters(loaded.get_params()).model.clusters == 2
    assert (loaded.latent_dim, loaded.hidden) == (2, (3,))


@pytest.mark.parametrize("name", ["table", "saved-table"])
def test_same_log_likelihoods(name: str, answers: dict[str, np.ndarray]) -> None:
    """Both are estimates, of 5,000 and of 3,000 draws a row."""
    fitted = pyro_gmvae.load(RUNS / name)
    found = fitted.log_likelihood(raw(name, answers), num_samples=3000).log_p.numpy()
    difference = found - stored(name, answers, "log_p")
    assert abs(difference.mean()) < 0.01
    np.testing.assert_allclose(difference, 0, atol=0.15)


def test_same_latents(answers: dict[str, np.ndarray]) -> None:
    z = GMVAE.load(RUNS / "saved-table").transform(table(answers))
    np.testing.assert_allclose(z, answers["saved_table_z"], atol=1e-5)


def test_a_table_knows_its_columns(answers: dict[str, np.ndarray]) -> None:
    for name in ("table", "saved-table"):
        fitted = pyro_gmvae.load(RUNS / name)
        assert isinstance(fitted.encoding, TableEncoding)
        assert fitted.encoding.feature_names == ("width", "height", "depth")
        loaded = GMVAE.load(RUNS / name)
        assert list(loaded.feature_names_in_) == ["width", "height", "depth"]
        with pytest.raises(ValueError, match="feature names"):
            loaded.predict(table(answers)[["height", "depth", "width"]])


def test_what_they_are_about() -> None:
    digits = pyro_gmvae.load(RUNS / "digits")
    assert isinstance(digits.encoding, ImageEncoding) and digits.encoding.binarize == "dynamic"
    about = digits.about
    assert (about.name, about.stopped, about.n_steps) == ("digits", "epochs", 36)
    assert about.class_names == tuple("0123456789")
    assert [record["epoch"] for record in digits.history] == [1, 2, 3]
    settings = settings_of(digits)
    assert (settings.source, settings.method, settings.training.seed) == ("digits", "sparse", 1)
    assert settings.model.learn_mixture is False and settings.start.regularize == "none"
    assert settings_of(pyro_gmvae.load(RUNS / "table")).data.label_column == "kind"

    saved = GMVAE.load(RUNS / "saved-table")
    assert (saved.method, saved.temperature, saved.num_samples) == ("concrete", 0.7, 5000)
    assert (saved.max_iter, saved.annealing_epochs, saved.random_state) == (10, 2.0, 0)
    assert saved.n_iter_ == len(saved.history_) == 10 and saved.converged_ is False
    assert np.isfinite(saved.lower_bound_)


def test_its_own_rows_are_found_again() -> None:
    fitted = pyro_gmvae.load(RUNS / "digits")
    parts = [len(load_run_rows(fitted, part)) for part in ("train", "validation", "test", "all")]
    assert parts == [1455, 162, 180, 1797]


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_take_them(
    name: str,
    answers: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    table(answers).to_csv("new.csv", index=False)
    data, drawn = ("new.csv", "a.csv") if name.endswith("table") else ("digits", "a.png")
    done = run_cli("predict", RUNS / name, data, "-o", "p.csv", "--quiet")
    assert done.exit_code == 0, done.output
    clusters = pd.read_csv("p.csv")["cluster"].to_numpy()[:ROWS]
    np.testing.assert_array_equal(clusters, stored(name, answers, "proba").argmax(1))
    judged = run_cli("evaluate", RUNS / name, data, "--samples", 5, "--json")
    assert json.loads(judged.stdout)["clusters"] == 2
    assert run_cli("sample", RUNS / name, "-o", drawn, "--quiet").exit_code == 0
    # What is written from one is of this version.
    if name == "digits":
        pruned = run_cli("prune", RUNS / name, "--out", "smaller", "--json")
        assert pruned.exit_code == 0, pruned.output
        assert json.loads(Path("smaller/config.json").read_text())["version"] == 2


def test_saved_again_it_is_of_this_version(tmp_path: Path, answers: dict[str, np.ndarray]) -> None:
    for name in ("table", "saved-table"):
        old = GMVAE.load(RUNS / name)
        old.save(tmp_path / name)
        new = GMVAE.load(tmp_path / name)
        x = table(answers)
        np.testing.assert_array_equal(old.predict_proba(x), new.predict_proba(x))
        assert new.get_params() == old.get_params()


def test_a_training_of_version_1_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is of version 1, this program reads version 2"):
        read_training(RUNS / "digits")
    folder = shutil.copytree(RUNS / "digits", tmp_path / "run")
    done = run_cli("train", "digits", "--out", folder, "--resume", "--quiet")
    assert done.exit_code == 2
    assert "is of version 1, this program reads version 2" in done.stderr
    assert "use the matching release, or train again with --overwrite" in done.stderr


@pytest.mark.parametrize(
    "change", [{"details": None}, {"details": {"settings": 3}}, {"preprocessor": {}}]
)
def test_a_damaged_one_is_refused(change: dict, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(RUNS / "table", tmp_path / "run"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match="does not fit together"):
        pyro_gmvae.load(folder)
