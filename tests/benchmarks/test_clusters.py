"""The comparison of clusters: it runs, goes on where it stopped, and its table is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from benchmarks.clusters.many import groups, lost
from benchmarks.clusters.summary_table import summary, table
from tests.benchmarks.conftest import Bench, report

SMALL = ["clusters", "--small", "--device", "cpu", "--json"]


def cell(seed: int, accuracy: float) -> dict[str, Any]:
    figures = {"purity": 0.9, "nmi": 0.5, "ari": 0.5, "clusters_in_use": 3, "seconds": 60.0}
    named = {"data": "mnist", "clusters": 3, "contender": "exact", "seed": seed}
    named |= {"settings": {}, "test_rows": "official"}
    return named | figures | {"accuracy": accuracy}


def test_runs_and_goes_on(bench: Bench) -> None:
    options = ["--out", "found.json", "--contenders", "kmeans", "exact-elbo", "vae-gmm"]
    first = bench(*SMALL, *options)
    assert first.exit_code == 0, first.stderr
    rows = {row["contender"]: row for row in json.loads(first.stdout)["results"]}
    assert rows.keys() == {"kmeans", "exact-elbo", "vae-gmm"}
    assert all(0.1 <= row["accuracy"][0] <= 1 for row in rows.values())
    assert rows["exact-elbo"]["log_likelihood"][0] is not None
    assert 0 <= rows["exact-elbo"]["mutual_information"][0] <= np.log(10)
    assert rows["kmeans"]["mutual_information"] == [None]
    folder = Path("cells/found")
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    again = json.loads(bench(*SMALL, *options).stdout)
    assert again["results"] == list(rows.values())
    assert before == {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    written = json.loads(Path("found.json").read_text())
    assert written["results"] == again["results"]
    names = {
        f"digits-clusters10-{cell['contender']}-seed{cell['seed']}" for cell in written["cells"]
    }
    assert names == {p.stem for p in folder.glob("*.json")}
    assert {p.name for p in Path().iterdir()} == {"cells", "found.json"}


def test_several_numbers_of_clusters(bench: Bench) -> None:
    options = ["--clusters", 20, 5, "--contenders", "kmeans", "--cells", "trainings"]
    result = bench(*SMALL, *options)
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["results"]
    assert [row["clusters"] for row in rows] == [5, 20]
    assert rows[0]["purity"] < rows[1]["purity"]


def test_trainings_with_other_settings_are_refused(bench: Bench) -> None:
    options = ["--contenders", "kmeans", "--cells", "trainings"]
    assert bench(*SMALL, *options).exit_code == 0
    refused = bench(*SMALL, *options, "--epochs", 7)
    assert refused.exit_code == 2
    assert "has other settings: name another folder by --cells" in refused.stderr
    assert "| 10 | kmeans | 1 |" in bench(*SMALL[:-1], *options).stdout


def test_the_table_has_the_least_and_the_agreement(tmp_path: Path) -> None:
    paths = [tmp_path / f"mnist-exact-seed{seed}.json" for seed in (0, 1, 2)]
    labels = np.arange(30) % 3
    for path, names in zip(paths, ([0, 1, 2], [2, 0, 1], [0, 0, 1]), strict=True):
        np.save(path.with_suffix(".npy"), np.array(names)[labels])
    rows = summary([cell(0, 0.9), cell(1, 0.8), cell(2, 0.7)], paths)
    assert rows[0]["pairwise_ari"][0] == 1
    assert rows[0]["pairwise_ari"][1] == pytest.approx(rows[0]["pairwise_ari"][2])
    assert "| 3 | exact | 3 | 0.800 ± 0.100 | 0.700 | 0.900 ± 0.000 |" in table(rows)
    others = [cell(seed, 0.9) | {"test_rows": f"held out by {seed}"} for seed in (0, 1, 2)]
    assert "pairwise_ari" not in summary(others, paths)[0]  # the seeds have other test rows


def test_a_missing_peer_says_how_to_get_it(bench: Bench) -> None:
    result = bench(*SMALL, "--cells", "trainings", "--contenders", "clustpy-dec")
    assert result.exit_code == 2
    assert "clustpy-dec needs ClustPy" in result.stderr or "DEC needs ClustPy" in result.stderr


@pytest.mark.slow
def test_table_defaults(bench: Bench) -> None:
    variants = ["--variants", "defaults", "few held-out rows"]
    found = json.loads(bench("table-defaults", "--small", *variants, "--json").stdout)
    assert [row["variant"] for row in found["results"]] == variants[1:]
    rules = [row["ari"] + row["log_p"] for row in found["results"]]
    assert rules[0] != rules[1]  # one of them trained on fewer rows


@pytest.mark.slow
def test_small_tables(bench: Bench) -> None:
    found = json.loads(bench("small-tables", "--small", "--device", "cpu", "--json").stdout)
    named = [(row["table"], row["method"], row["moves"]) for row in found["results"]]
    assert named == [
        ("iris", "kmeans", None),
        ("iris", "mixture", None),
        ("iris", "sparse", "none"),
    ]
    assert all(-1 <= row["ari"][0] <= 1 for row in found["results"])


def test_many_clusters_counts_what_is_lost(bench: Bench) -> None:
    y, found = np.repeat([0, 1, 2], 4), np.repeat([1, 0, 0], 4)
    assert lost(y, y) == 0 and lost(y, found) == 1  # one cluster has two groups
    assert lost(y, np.arange(12)) == 0  # a group in parts is not lost
    x, y = groups(0, 7, 500, 3)
    assert np.bincount(y).min() >= 10 and x.mean(0) == pytest.approx(0, abs=1e-9)
    values = json.loads(bench("many-clusters", "--small", "--json").stdout)
    assert {(r["clusters"], r["method"]) for r in values["results"]} == {
        (k, m) for k in (2, 4) for m in ("exact", "mixture")
    }
    assert all(r["lost"] == [0] for r in values["results"])


def test_waiting_for_small_tables(bench: Bench) -> None:
    values = json.loads(bench("tables-wait", "--small", "--json").stdout)
    assert [r["table"] for r in values["results"]] == ["iris"]
    assert len(values["results"][0]["seconds"]) == 2


def test_suites_of_both_layouts(bench: Bench) -> None:
    x, y = make_blobs(90, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    battery = Path("sets/battery")
    battery.mkdir(parents=True)
    np.savetxt(battery / "three.data.gz", x)
    np.savetxt(battery / "three.labels0.gz", y + 1, fmt="%d")
    halves = np.where(y == 2, 0, y)
    np.savetxt(battery / "three.labels1.gz", halves + 1, fmt="%d")
    np.savez(battery / "also.npz", x=x, y=y)
    np.savez(battery / "large.npz", x=np.zeros((301, 2)), y=np.arange(301) % 2)
    options = ["--methods", "kmeans", "mixture", "--device", "cpu", "--json"]
    result = bench("suites", "sets", "--small", *options)
    rows = {(r["set"], r["clusters"], r["method"]): r for r in json.loads(result.stdout)["results"]}
    named = [("battery/three", 2), ("battery/three", 3), ("battery/also", 3)]  # large is left out
    assert rows.keys() == {(*task, m) for task in named for m in ("kmeans", "mixture")}
    assert all(r["ari"] == [1.0] for (_, k, _), r in rows.items() if k == 3)
    refused = bench("suites", "nowhere", "--small")
    assert refused.exit_code == 2
    assert "there is no set in nowhere: name a folder of a suite" in refused.stderr


def test_embeddings_of_a_folder(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = np.eye(64)[y] + 0.02 * rng.normal(size=(120, 64))
    Path("sets").mkdir()
    np.savez("sets/three.npz", x=x.astype(np.float16), y=y)
    options = ["--sets", "three", "--methods", "kmeans", "spectral", "--json"]
    result = bench("embeddings", "sets", "--small", *options)
    assert result.exit_code == 0, result.stderr
    rows = {row["method"]: row for row in json.loads(result.stdout)["results"]}
    assert rows.keys() == {"kmeans", "spectral"}
    assert all(row["seen"] == row["new"] == [1.0] for row in rows.values())


@pytest.mark.slow
def test_selection(bench: Bench) -> None:
    rows = report(bench, "selection")["results"]
    assert rows and all(row["truth"] in [c["clusters"] for c in row["candidates"]] for row in rows)
