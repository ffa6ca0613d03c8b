"""``pyro-gmvae select``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

from pyro_gmvae.data import Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.tasks import select
from pyro_gmvae.tasks.settings import TrainSettings
from tests.cli.conftest import TINY, Cli, write_table

SELECT = ["select", "blobs.csv", "--label-column", "kind", "--out", "chosen", "--runs", 2]
SELECT += ["--samples", 5, *TINY[: TINY.index("--clusters")], "--regularize", "none"]


def write_round_blobs(path: Path, rows: int = 300) -> None:
    """Two blobs that are as wide in every direction: there is no one way to cut them in two."""
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=rows)
    table = pd.DataFrame(rng.normal(size=(rows, 6)) + 4 * kind[:, None])
    table.rename(columns=str).assign(kind=kind).to_csv(path, index=False)


def test_finds_two_blobs(cli: Cli) -> None:
    write_round_blobs(Path("blobs.csv"))
    result = cli(*SELECT, "--clusters", "2:3", "--runs", 3, "--hidden", 32, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["n_clusters"] == 2
    assert [row["clusters"] for row in report["candidates"]] == [2, 3]
    assert report["candidates"][0]["found_again"] == 2
    kept = json.loads(Path("chosen/selection.json").read_text())
    assert kept["candidates"] == report["candidates"]
    assert Path("chosen/selection.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def trained() -> Iterator[mock.Mock]:
    """In place of a training, which is of no account here: figures of its number and seed."""

    def drawn(settings: TrainSettings, seed: int, parts: Any, num_samples: int) -> Any:
        generator = torch.Generator().manual_seed((seed + settings.clusters) % 2**62)
        clusters = torch.randint(settings.clusters, (60,), generator=generator)
        return torch.randn(6, generator=generator).double(), clusters

    with mock.patch.object(select, "_trained", side_effect=drawn) as replaced:
        yield replaced


def test_goes_on_where_it_stopped(cli: Cli, trained: mock.Mock) -> None:
    write_table(Path("blobs.csv"))
    assert cli(*SELECT, "--clusters", "2,3").exit_code == 0
    assert trained.call_count == 4
    first = Path("chosen/selection.json").read_bytes()
    Path("chosen/K3-run1-S5.npz").unlink()
    assert cli(*SELECT, "--clusters", "2,3").exit_code == 0
    assert trained.call_count == 5
    assert Path("chosen/selection.json").read_bytes() == first


def test_every_run_has_rows_of_its_own_and_units_are_the_datas(cli: Cli) -> None:
    """log p of data in units a thousand times smaller is lower by log 1000 a column."""
    write_table(Path("blobs.csv"))
    assert cli(*SELECT, "--clusters", "2,3").exit_code == 0
    seen = [np.load(f"chosen/K2-run{run}-S5.npz")["log_p"] for run in range(2)]
    assert not np.array_equal(*seen)
    table = pd.read_csv("blobs.csv")
    table[["width", "height"]] *= 1000
    table.to_csv("blobs.csv", index=False)
    assert cli(*SELECT, "--clusters", "2,3", "--overwrite").exit_code == 0
    again = np.load("chosen/K2-run0-S5.npz")["log_p"]
    np.testing.assert_allclose(seen[0] - again, 2 * np.log(1000), rtol=1e-3)


def test_a_training_that_is_compared_begins_for_a_short_while(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has to hold on by itself to what a mixture cuts."""
    seen = []
    train = select.train_splits

    def listen(settings: TrainSettings, splits: Splits, *, steps: int) -> Any:
        seen.append((settings.clusters, steps))
        return train(settings, splits, steps=steps)

    monkeypatch.setattr(select, "train_splits", listen)
    write_table(Path("blobs.csv"))
    assert cli(*SELECT, "--clusters", "2,3").exit_code == 0
    assert seen == [(2, 50), (3, 50)] * 2


def test_other_settings_are_another_selection(cli: Cli, refused: Cli, trained: mock.Mock) -> None:
    write_table(Path("blobs.csv"))
    assert cli(*SELECT, "--clusters", "2,3").exit_code == 0
    assert "--overwrite" in refused(*SELECT, "--clusters", "2,3", "--batch-size", 7)
    assert cli(*SELECT, "--clusters", "2,3", "--batch-size", 7, "--overwrite").exit_code == 0


@pytest.mark.parametrize("text", ["5", "a:b", "2:3:4:5", "0:3", "7:3", ""])
def test_what_are_no_numbers_of_clusters(refused: Cli, text: str) -> None:
    write_table(Path("blobs.csv"))
    assert "such as 2:20" in refused(*SELECT, "--clusters", text)


def test_one_run_says_nothing(refused: Cli) -> None:
    write_table(Path("blobs.csv"))
    assert "two or more" in refused(*SELECT, "--clusters", "2:3", "--runs", 1)


def test_counts() -> None:
    assert select.counts("2:5") == [2, 3, 4, 5]
    assert select.counts("10:20:5") == [10, 15, 20]
    assert select.counts("8,2,2:3") == [2, 3, 8]
    with pytest.raises(InputError):
        select.counts("4")


def test_more_clusters_than_rows_are_refused_at_once(cli: Cli, trained: mock.Mock) -> None:
    write_table(Path("blobs.csv"))
    result = cli(*SELECT, "--clusters", "2,200")
    assert result.exit_code == 2 and "200 clusters are more than the" in result.stderr
    assert trained.call_count == 0
