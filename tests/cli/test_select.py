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
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.imitation import MIN_STEPS
from pyro_gmvae.tasks import select
from tests.cli.conftest import TINY, Cli, write_table

SELECT = ["select", "blobs.csv", "--label-column", "kind", "--out", "chosen", "--runs", 2]
SELECT += ["--samples", 5, *TINY[: TINY.index("--clusters")], "--regularize", "none"]


def write_round_blobs(path: Path, rows: int = 160) -> None:
    """Two blobs that are as wide in every direction: there is no one way to cut them in two."""
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=rows)
    table = pd.DataFrame(rng.normal(size=(rows, 6)) + 4 * kind[:, None])
    table.rename(columns=str).assign(kind=kind).to_csv(path, index=False)


def test_finds_two_blobs(cli: Cli) -> None:
    write_round_blobs(Path("blobs.csv"))
    options = ["--runs", 3, "--hidden", 32, "--initialization", "kmeans"]
    result = cli(*SELECT, "--clusters", "2:3", *options, "--json")
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

    def drawn(settings: Settings, seed: int, parts: Any, num_samples: int) -> Any:
        generator = torch.Generator().manual_seed((seed + settings.model.clusters) % 2**62)
        clusters = torch.randint(settings.model.clusters, (60,), generator=generator)
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


def test_every_run_has_rows_of_its_own_and_units_are_the_datas(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """log p of data in units 1024 times smaller is lower by log 1024 a column.

    A power of two, so that the standardised rows are the same to the last bit.
    """
    # Each row's draws depend on its values; here they are to be the same in both units.
    monkeypatch.setattr("pyro_gmvae.fitted.row_keys", lambda x: list(range(len(x))))
    write_table(Path("blobs.csv"))
    options = ["--clusters", "2,3", "--initialization", "random"]
    assert cli(*SELECT, *options).exit_code == 0
    seen = [np.load(f"chosen/K2-run{run}-S5.npz")["log_p"] for run in range(2)]
    assert not np.array_equal(*seen)
    table = pd.read_csv("blobs.csv")
    table[["width", "height"]] *= 1024
    table.to_csv("blobs.csv", index=False)
    assert cli(*SELECT, *options, "--overwrite").exit_code == 0
    again = np.load("chosen/K2-run0-S5.npz")["log_p"]
    np.testing.assert_allclose(seen[0] - again, 2 * np.log(1024), rtol=1e-6)


def test_a_training_that_is_compared_begins_for_a_short_while(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has to hold on by itself to what a mixture cuts."""
    seen, own = [], []

    def listen(settings: Settings, splits: Splits) -> Plan:
        made = plan(settings, splits)
        own.append(made.start.steps)
        return made

    def untrained(made: Plan) -> FittedModel:
        seen.append((made.model["n_components"], made.start.steps))
        return FittedModel(made.make_model(made.seeds[0]).eval(), made.encoding, made.about)

    monkeypatch.setattr(select, "plan", listen)
    monkeypatch.setattr(select, "train", untrained)
    write_table(Path("blobs.csv"))
    # So many epochs that a training of its own would begin for longer.
    assert cli(*SELECT, "--clusters", "2,3", "--epochs", 60).exit_code == 0
    assert seen == [(2, MIN_STEPS), (3, MIN_STEPS)] * 2 and MIN_STEPS == 50
    assert min(own) > 50


def test_other_settings_are_another_selection(cli: Cli, refused: Cli, trained: mock.Mock) -> None:
    write_table(Path("blobs.csv"))
    assert cli(*SELECT, "--clusters", "2,3").exit_code == 0
    assert "--overwrite" in refused(*SELECT, "--clusters", "2,3", "--batch-size", 7)
    assert cli(*SELECT, "--clusters", "2,3", "--batch-size", 7, "--overwrite").exit_code == 0


@pytest.mark.parametrize("text", ["5", "a:b", "2:3:4:5", "0:3", "7:3", ""])
def test_what_are_no_numbers_of_clusters(refused: Cli, text: str) -> None:
    write_table(Path("blobs.csv"))
    assert "write them as 2:20, 2:20:2 or 5,10" in refused(*SELECT, "--clusters", text)


def test_one_run_says_nothing(refused: Cli) -> None:
    write_table(Path("blobs.csv"))
    assert "1 is not in the range 2<=x" in refused(*SELECT, "--clusters", "2:3", "--runs", 1)


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


def test_trainings_at_a_time_give_the_same(cli: Cli) -> None:
    write_round_blobs(Path("blobs.csv"))
    options = ["--clusters", "2,3", "--hidden", 8, "--json"]
    alone = cli(*SELECT, *options)
    together = cli(*SELECT, *options, "--out", "together", "--jobs", 2)
    assert together.exit_code == 0, together.output
    found, wanted = (json.loads(r.stdout)["candidates"] for r in (together, alone))
    for row, same in zip(found, wanted, strict=True):
        assert row == pytest.approx(same, rel=1e-4, abs=1e-6)
    assert "training 4 of 4: 3 clusters, run 2" in together.stderr
