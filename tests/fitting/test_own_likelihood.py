"""A likelihood takes a class and a name; the rest of the program goes by its support."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pyro.distributions as dist
import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

import pyro_gmvae
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods import LIKELIHOODS, Likelihood
from tests.cli.conftest import TINY, run_cli
from tests.helpers.tiny import same_weights

OPTIONS = {"hidden": (8,), "latent_dim": 2, "max_iter": 2, "random_state": 0, "device": "cpu"}


class Poisson(Likelihood):
    """Counts whose rates the decoder gives."""

    support = "count"

    def entrywise(self, output: Tensor) -> dist.TorchDistribution:
        return dist.Poisson(softplus(output) + 1e-3)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A command makes its options when it is imported. Each is imported before the name is known
    # too, so that the undo of delitem has modules to put back for the tests of other files.
    for module in ("settings", "train", "select"):
        import_module(f"pyro_gmvae_cli.{module}")
    for module in ("settings", "train", "select"):
        monkeypatch.delitem(sys.modules, f"pyro_gmvae_cli.{module}")
    monkeypatch.setitem(LIKELIHOODS, "poisson", Poisson)
    monkeypatch.chdir(tmp_path)


def counts(rows: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    rates = np.array([[2.0, 30.0, 5.0], [20.0, 3.0, 5.0]])[np.arange(rows) % 2]
    return rng.poisson(rates).astype(float)


def train(data: str, *options: object) -> None:
    done = run_cli("train", data, "--likelihood", "poisson", "--out", "run", *TINY, *options)
    assert done.exit_code == 0, done.output


def test_by_the_estimator() -> None:
    x = counts()
    gmvae = GMVAE(2, likelihood="poisson", **OPTIONS).fit(x)
    encoding = gmvae.encoding_
    assert (encoding.scale == 1).all() and (encoding.shift == 0).all()
    assert encoding.binarize == "none"
    assert torch.equal(encoding(torch.from_numpy(x)).double(), torch.from_numpy(x))
    assert isinstance(gmvae.model_.model.likelihood, Poisson)
    # p(x) is a mass: never above 1, and no unit changes it.
    scores = gmvae.score_samples(x)
    assert (scores < 0).all() and (encoding.log_abs_det(torch.from_numpy(x)) == 0).all()
    drawn, _ = gmvae.sample(50)
    assert (drawn >= 0).all() and (drawn == np.floor(drawn)).all()
    gmvae.save("run")
    np.testing.assert_array_equal(GMVAE.load("run").score_samples(x), scores)


def test_p_of_all_counts_is_one() -> None:
    """Of one column: the masses of 0, 1, 2, ... add up, estimated as they are."""
    x = np.random.default_rng(0).poisson(3.0, size=(40, 1)).astype(float)
    options = {**OPTIONS, "max_iter": 20, "num_samples": 2000}
    gmvae = GMVAE(1, likelihood="poisson", **options).fit(x)
    every = np.arange(80.0)[:, None]
    assert np.exp(gmvae.score_samples(every)).sum() == pytest.approx(1, abs=0.05)


def test_by_the_command() -> None:
    np.save("x.npy", counts())
    train("x.npy")
    fitted = pyro_gmvae.load("run")
    assert isinstance(fitted.gmvae.model.likelihood, Poisson)
    assert (fitted.encoding.scale == 1).all() and (fitted.encoding.shift == 0).all()
    judged = json.loads(run_cli("evaluate", "run", "x.npy", "--json").stdout)
    assert judged["log_likelihood"] < 0 and "bits_per_dim" not in judged
    assert judged["log_likelihood"] == pytest.approx(GMVAE.load("run").score(counts()), abs=1e-3)
    assert run_cli("sample", "run", "-o", "a.csv", "--quiet").exit_code == 0
    drawn = pd.read_csv("a.csv").to_numpy()
    assert (drawn == np.floor(drawn)).all()


def test_both_faces_are_one() -> None:
    np.save("x.npy", counts())
    train("x.npy", "--test-fraction", 0, "--initialization", "auto")
    options = {**OPTIONS, "max_iter": 1, "regularize": "none"}
    gmvae = GMVAE(3, likelihood="poisson", **options).fit(counts())
    assert same_weights(gmvae.model_.state_dict(), pyro_gmvae.load("run").gmvae.state_dict())


@pytest.mark.parametrize("wrong", [-1.0, 2.5])
def test_what_are_no_counts(wrong: float) -> None:
    x = counts()
    x[7, 1] = wrong
    words = f"The poisson likelihood wants whole numbers from 0 on, one here is {wrong:g}"
    with pytest.raises(InputError, match=words):
        GMVAE(2, likelihood="poisson", **OPTIONS).fit(x)
    np.save("wrong.npy", x)
    np.save("x.npy", counts())
    train("x.npy")
    for command in (
        ["train", "wrong.npy", "--likelihood", "poisson", "--out", "new", *TINY],
        ["evaluate", "run", "wrong.npy"],
        ["predict", "run", "wrong.npy", "-o", "a.csv"],
    ):
        done = run_cli(*command)
        assert done.exit_code == 2 and done.stdout == ""
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1 and words in errors[0]
    assert not Path("new").exists() and not Path("a.csv").exists()
    with pytest.raises(InputError, match=words):
        GMVAE.load("run").predict(x)


def test_images_are_no_counts() -> None:
    np.save("x.npy", np.random.default_rng(0).integers(256, size=(30, 4, 4), dtype=np.uint8))
    done = run_cli("train", "x.npy", "--likelihood", "poisson", "--out", "run", *TINY)
    assert done.exit_code == 2 and "is for counts and x has images" in done.stderr
