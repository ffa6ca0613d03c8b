"""A training on a sample says so, and how stable its clusters are in the number of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from click.testing import CliRunner

from pyro_gmvae.data import load_splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import SampleStability
from pyro_gmvae.run_data import load_run_splits
from pyro_gmvae.runs import load
from pyro_gmvae_cli.main import main

OPTIONS = ["--clusters", "3", "--hidden", "8", "--epochs", "2", "--initialization", "mixture"]


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    frame = pandas.DataFrame(8 * np.eye(3)[y] + rng.normal(size=(600, 3)), columns=["a", "b", "c"])
    frame.to_csv(tmp_path / "blobs.csv", index=False)
    return tmp_path / "blobs.csv"


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


def test_a_sample_is_uniform_and_the_rest_are_all_others() -> None:
    splits = load_splits("digits", seed=0)
    rows = len(splits.train) + len(splits.validation)
    drawn = splits.sampled(400, seed=1)
    assert drawn.rest is not None
    parts = [drawn.train, drawn.validation, drawn.rest, drawn.test]
    places = torch.cat([part.places for part in parts]).sort().values
    assert places.tolist() == list(range(rows + len(splits.test)))
    share = len(drawn.validation) / 400
    assert abs(share - len(splits.validation) / rows) < 5 * (0.1 * 0.9 / 400) ** 0.5
    other = splits.sampled(400, seed=2)
    assert set(other.train.places.tolist()) != set(drawn.train.places.tolist())
    with pytest.raises(InputError, match="leaves none out"):
        splits.sampled(rows, seed=0)


def test_clusters_are_compared_from_one_size_to_the_next() -> None:
    clusters = [torch.tensor(c) for c in ([0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1])]
    found = SampleStability.of_clusters(clusters, n_clusters=3, rows=8, of=12, seed=0)
    assert (found.half, found.shares) == (1.0, (0.5, 0.5, 0.0))
    assert found.quarter == pytest.approx(-0.5)  # as scikit-learn's index of these two


def test_the_run_its_card_and_its_report_say_so(blobs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run("train", blobs, *OPTIONS, "--sample", 200, "--out", out, "--report", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["sample"]
    assert (found["rows"], found["of"]) == (200, 540)  # 60 rows are for the test
    assert found["half"] > 0.95 and found["quarter"] > 0.95  # blobs are found from few rows
    np.testing.assert_allclose(found["shares"], 1 / 3, atol=0.05)
    fitted = load(out)
    assert fitted.about.sample is not None
    for file in ("README.md", "report.html"):
        assert "Trained on 200 of 540 rows" in (out / file).read_text()
    again = load_run_splits(fitted)  # the same rows
    assert again.rest is not None and len(again.rest) == 340
    assert "sample 200" in (out / "README.md").read_text()


def test_a_sample_that_is_too_small_is_refused(blobs: Path, tmp_path: Path) -> None:
    result = run("train", blobs, *OPTIONS, "--sample", 20, "--out", tmp_path / "run")
    assert result.exit_code == 2 and "draw at least 24" in result.stderr
