"""The benchmark of peers, without the peers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import compare
from benchmarks.peers.compare import PeerFailedError, start
from benchmarks.peers.registry import OURS, PEERS, Peer
from benchmarks.peers.summary_table import ratios_of, summary
from benchmarks.peers.task import Task, binary, thinned
from benchmarks.peers.worker import run
from tests.benchmarks.conftest import Bench

N_TEST, N_PIXELS = 40, 16


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Dark and bright images, half each."""
    rng = np.random.default_rng(0)
    low = np.arange(200 + N_TEST) % 2 * 150
    x = (low[:, None] + rng.integers(0, 100, (200 + N_TEST, N_PIXELS))).astype("uint8")
    np.savez(tmp_path / "images.npz", train=x[N_TEST:], test=x[:N_TEST])
    return tmp_path / "images.npz"


def task(peer: str, images: Path) -> Task:
    return Task(
        peer=peer,
        data=str(images),
        clusters=2,
        latent=2,
        hidden=(8, 8),
        batch=50,
        epochs=2,
        pretrain_epochs=2,
        learning_rate=1e-3,
        seed=0,
        device="cpu",
        folder=str(images.parent / "run"),
    )


@pytest.mark.parametrize("peer", ["exact", "concrete-same", "sparse"])
def test_ours(peer: str, images: Path) -> None:
    outcome = run(task(peer, images))
    assert len(outcome["epoch_seconds"]) == 2
    assert 0 < sum(outcome["epoch_seconds"]) <= outcome["training_seconds"]
    assert len(outcome["clusters"]) == N_TEST
    assert set(outcome["clusters"]) <= {0, 1}
    assert outcome["log_likelihood"] < 0


def test_the_same_network_is_the_smaller_one(images: Path) -> None:
    own, same = (run(task(peer, images))["parameters"] for peer in ("exact", "exact-same"))
    assert same < own


def test_mixture(images: Path) -> None:
    outcome = run(task("sklearn-gmm", images))
    assert outcome["epoch_seconds"] == []
    first, second = outcome["clusters"][::2], outcome["clusters"][1::2]
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] != second[0]
    if outcome["peak_bytes"] is not None:  # Linux
        assert outcome["peak_bytes"] > outcome["peak_bytes_above_imports"] >= 0


def test_a_failure_is_one_line(images: Path) -> None:
    with pytest.raises(PeerFailedError) as raised:
        start(task("nobody", images), threads=1)
    assert str(raised.value) == "failed with exit code 1: KeyError: 'nobody'"


def test_what_is_missing_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Peer("clustpy", "no_such_package", "run_clustpy")
    monkeypatch.setitem(PEERS, "clustpy-vade", missing)
    refused = bench("peers", "--small", "--peers", "clustpy-vade")
    assert refused.exit_code == 2
    assert "none of these peers" in refused.stderr
    assert "clustpy is not installed" in refused.stdout
    assert 'pip install -e ".[peers]"' in refused.stdout


def test_report_keeps_rows_but_not_the_folder_of_the_data(tmp_path: Path) -> None:
    out = tmp_path / "peers.json"
    options = ["--small", "--quiet", "--peers", "sklearn-gmm", "--data-dir", "somewhere"]
    compare.main([*options, "--repeats", "2", "--out", str(out)])
    text = out.read_text()
    values = json.loads(text)
    assert "somewhere" not in text
    [row] = values["results"]  # not repeated: it enters no ratio
    assert row["peer"] == "sklearn-gmm"
    assert row["accuracy"] > 0.3
    assert values["summary"]["sklearn-gmm"]["accuracy"] == row["accuracy"]
    assert "scikit-learn" in values["versions"]


def test_ratios_leave_out_first_epochs_and_pair_rounds() -> None:
    def rows(*rounds: tuple[int, list[float]]) -> list[dict]:
        return [{"seed": s, "epoch_seconds": e, "log_likelihood_is": None} for s, e in rounds]

    ours = rows((0, [9.0, 1.0, 1.0]), (1, [9.0, 2.0, 2.0]))
    theirs = rows((0, [5.0, 2.0, 2.0]), (1, [5.0, 4.0, 4.0]), (2, [5.0, 100.0, 100.0]))
    ratios = ratios_of({"exact": ours, "clustpy-vade": theirs}, "exact")
    assert ratios["clustpy-vade"] == 0.5
    assert ratios["pythae-vae"] is None
    assert summary(ours)["seconds_per_epoch"] == 1.5
    assert summary(rows((0, [9.0])))["seconds_per_epoch"] == 9.0


def test_images_as_peers_see_them() -> None:
    assert binary(np.array([[0, 127, 128, 255]], "uint8")).tolist() == [[0, 0, 1, 1]]
    assert thinned(np.arange(10_000)).tolist() == list(range(0, 10_000, 20))
    assert len(thinned(np.arange(700))) == 500
    assert thinned(np.arange(3)).tolist() == [0, 1, 2]


def test_every_method_of_ours_takes_part() -> None:
    assert {name.removesuffix("-same") for name in OURS} == {"exact", "concrete", "sparse"}
