import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pyro_gmvae.models import METHODS
from pyro_gmvae.runs import load
from tests.cli.conftest import TINY, Cli, write_table

FIGURES = {
    "log_likelihood",
    "log_likelihood_se",
    "num_samples",
    "pareto_k_bad_fraction",
    "elbo",
    "clusters_in_use",
    "entropy_y",
    "entropy_y_given_x",
    "mutual_information",
}
SCORES = {"accuracy", "purity", "nmi", "ari"}
FILES = {
    "README.md",
    "checkpoint",
    "clusters.png",
    "config.json",
    "history.png",
    "metrics.csv",
    "reconstructions.png",
    "train.json",
    "weights.safetensors",
}


@pytest.mark.parametrize("method", METHODS)
def test_each_method(cli: Cli, method: str) -> None:
    result = cli("train", "digits", "--method", method, "--out", "runs/a", *TINY, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert set(figures) >= FIGURES | SCORES
    assert (figures["split"], figures["n"]) == ("test", 180)
    assert {p.name for p in Path("runs/a").iterdir()} == FILES
    for picture in ("clusters", "reconstructions"):
        assert Path(f"runs/a/{picture}.png").read_bytes().startswith(b"\x89PNG")
    run = load("runs/a")
    assert (run.gmvae.method, run.gmvae.n_components, run.gmvae.latent_dim) == (method, 3, 2)
    with open("runs/a/metrics.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1"]


def test_says_what_it_did(cli: Cli) -> None:
    result = cli("train", "digits", "--out", "a", *[o for o in TINY if o != "--quiet"])
    assert "digits, test rows (180)" in result.stdout
    assert "100 samples each" in result.stdout
    assert "a/clusters.png" in result.stdout
    assert "ELBO" in result.stderr  # the progress bar


def test_quiet_says_nothing(cli: Cli) -> None:
    result = cli("train", "digits", "--out", "a", *TINY)
    assert (result.exit_code, result.output) == (0, "")


def test_options_reach_the_model(cli: Cli) -> None:
    options = ["--hidden", "9,7", "--shared-trunk", "--learn-mixture", "--temperature", 0.7]
    options += ["--temperature-end", 0.4, "--annealing", "cosine", "--annealing-epochs", 1]
    options += ["--epochs", 2, "--likelihood", "continuous_bernoulli", "--method", "concrete"]
    assert cli("train", "digits", "--out", "a", *TINY, *options).exit_code == 0
    run = load("a")
    assert run.encoding.binarize == "none"
    assert run.gmvae.options == {
        "hidden": (9, 7),
        "likelihood": "continuous_bernoulli",
        "shared_trunk": True,
        "learn_mixture": True,
        "n_covariates": 0,
        "label_weight": 1.0,
        "network": "mlp",
        "cluster_network": None,
        "conv": None,
        "table": None,
        "temperature": 0.7,
        "kl": "categorical",
    }
    with open("a/metrics.csv", newline="") as file:
        first, last = csv.DictReader(file)
    assert float(first["temperature"]) > float(last["temperature"])
    assert float(last["temperature"]) == pytest.approx(0.4)


def test_sparse_option(cli: Cli) -> None:
    options = ["--method", "sparse", "--n-likeliest", 2, "--drawn-share", 0.5]
    assert cli("train", "digits", "--out", "a", *TINY, *options).exit_code == 0
    found = load("a").gmvae.options
    assert (found["n_likeliest"], found["drawn_share"]) == (2, 0.5)


def test_static_binarisation(cli: Cli) -> None:
    result = cli("train", "digits", "--out", "a", *TINY, "--binarize", "static", "--json")
    assert result.exit_code == 0
    assert load("a").encoding.binarize == "static"


@pytest.mark.parametrize("likelihood", ["discretized_logistic", "discretized_logistic_mixture"])
def test_levels_of_grey(cli: Cli, likelihood: str) -> None:
    result = cli("train", "digits", "--likelihood", likelihood, "--out", "a", *TINY, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    bits = -figures["log_likelihood"] / (64 * np.log(2))
    assert figures["bits_per_dim"] == pytest.approx(bits)
    assert 0 < bits < 8
    assert load("a").encoding.binarize == "none"


def test_colour_is_not_binarised(cli: Cli) -> None:
    x = np.random.default_rng(0).integers(256, size=(60, 4, 4, 3), dtype=np.uint8)
    np.save("colour.npy", x)
    assert cli("train", "colour.npy", "--out", "a", *TINY).exit_code == 0
    run = load("a")
    assert run.gmvae.options["likelihood"] == "discretized_logistic"
    assert run.encoding.binarize == "none"
    table = cli("evaluate", "a", "--split", "all", "--samples", 5).stdout
    shown = re.search(r"bits per dim +(\d+\.\d+)", table)
    assert shown is not None
    assert 7.5 < float(shown[1]) < 10  # noise takes 8
    asked = cli("train", "colour.npy", "--out", "b", *TINY, "--binarize", "static", "--json")
    assert "bits_per_dim" not in json.loads(asked.stdout)
    assert load("b").gmvae.options["likelihood"] == "bernoulli"


def test_schedules_reach_the_training(cli: Cli) -> None:
    schedules = ["--learning-rate-schedule", "cosine", "--style-annealing-epochs", 2]
    result = cli("train", "digits", "--out", "a", *TINY, "--epochs", 2, *schedules)
    assert result.exit_code == 0, result.output
    with open("a/metrics.csv", newline="") as file:
        first, last = csv.DictReader(file)
    assert 0.4 < float(first["z_kl_weight"]) < 0.6 < float(last["z_kl_weight"]) <= 1
    assert 1e-3 > float(first["learning_rate"]) > float(last["learning_rate"]) > 0


def test_table(cli: Cli) -> None:
    write_table(Path("t.csv"))
    result = cli("train", "t.csv", "--label-column", "kind", "--out", "a", *TINY, "--json")
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)) >= FIGURES | SCORES
    run = load("a")
    assert run.encoding.feature_names == ("width", "height")
    assert run.gmvae.options["likelihood"] == "gaussian"
    assert (run.encoding.scale > 2).all()  # standardised


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli"])
def test_table_of_zeros_and_ones(cli: Cli, likelihood: str) -> None:
    np.save("bits.npy", np.random.default_rng(0).integers(2, size=(50, 4)))
    result = cli("train", "bits.npy", "--likelihood", likelihood, "--out", "a", *TINY, "--json")
    assert result.exit_code == 0, result.output
    assert not set(json.loads(result.stdout)) & SCORES  # there are no labels


def test_nothing_held_out(cli: Cli) -> None:
    options = ["--validation-fraction", 0, "--test-fraction", 0]
    result = cli("train", "digits", "--out", "a", *TINY, *options, "--json")
    assert json.loads(result.stdout)["split"] == "train"


def test_the_seed_fixes_everything(cli: Cli) -> None:
    def train(out: str, seed: int) -> tuple[str, bytes, bytes]:
        torch.rand(3)  # whatever came before
        result = cli("train", "digits", "--out", out, *TINY, "--seed", seed, "--json")
        figures = json.loads(result.stdout) | {"run": ""}
        folder = Path(out)
        weights = (folder / "weights.safetensors").read_bytes()
        return json.dumps(figures), weights, (folder / "clusters.png").read_bytes()

    state = torch.get_rng_state()
    first = train("a", 1)
    assert train("b", 1) == first
    assert train("c", 2)[:2] != first[:2]
    torch.set_rng_state(state)


def test_leaves_the_global_generator_alone(cli: Cli) -> None:
    before = torch.get_rng_state()
    cli("train", "digits", "--out", "a", *TINY)
    assert torch.equal(torch.get_rng_state(), before)


def test_overwrite(cli: Cli) -> None:
    cli("train", "digits", "--out", "a", *TINY)
    Path("a/checkpoint/state-1.safetensors").touch()
    options = ["--overwrite", "--clusters", 4]
    assert cli("train", "digits", "--out", "a", *TINY, *options).exit_code == 0
    assert {p.name for p in Path("a").iterdir()} == FILES
    assert [p.name for p in Path("a/checkpoint").iterdir()] == ["state.safetensors"]
    assert load("a").gmvae.n_components == 4


def test_overwrite_where_training_was_killed_at_once(cli: Cli) -> None:
    cli("train", "digits", "--out", "a", *TINY)
    for path in Path("a").rglob("*"):
        if path.is_file() and path.name != "train.json":
            path.unlink()
    assert cli("train", "digits", "--out", "a", *TINY, "--overwrite").exit_code == 0


def test_tensorboard(cli: Cli) -> None:
    pytest.importorskip("tensorboard")
    assert cli("train", "digits", "--out", "a", *TINY, "--tensorboard").exit_code == 0
    assert list(Path("a/tensorboard").rglob("events.*"))


def test_loss_that_is_not_finite(cli: Cli) -> None:
    result = cli("train", "digits", "--out", "a", *TINY, "--learning-rate", 1e6, "--epochs", 3)
    assert result.exit_code == 1
    assert "the loss is not finite at step" in result.stderr
    assert "Traceback" not in result.stderr
    assert load("a").about.stopped == "non-finite loss"
    assert all(torch.isfinite(t).all() for t in load_file("a/weights.safetensors").values())
