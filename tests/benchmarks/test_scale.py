"""The studies of large tables and of pieces: they run, and count what they say they count."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.tables.partial_fit import is_equal
from tests.benchmarks.conftest import Bench, report


@pytest.mark.slow
def test_shards(bench: Bench) -> None:
    rows = report(bench, "shards", "--folder", "kept")["results"]
    assert [row["use"] for row in rows] == ["reading", "surveying", "training"]
    read, seen, trained = rows
    assert seen["rows"] == 20_000 > read["rows"] == trained["rows"] > 10_000
    assert all(row["peak_bytes"] > row["import_bytes"] > 0 for row in rows)
    assert Path("kept").is_dir()


@pytest.mark.slow
@pytest.mark.usefixtures("no_validation")  # which torch.compile turns off for good
def test_prediction_trains_a_run_of_its_own(bench: Bench) -> None:
    parquet, text, *variants = report(bench, "prediction")["results"]
    assert (parquet["kind"], text["kind"]) == ("parquet", "csv")
    for row in (parquet, text):
        assert row["rows"] == sum(row["cluster_sizes"]) == 20_000
    named = {row["variant"]: row for row in variants}
    assert named.keys() == {"float32", "bfloat16", "compiled"}
    assert named["compiled"]["difference"] < 1e-4


def test_pieces_beside_one_fit(bench: Bench) -> None:
    (row,) = report(bench, "partial-fit")["results"]
    assert (row["task"], row["seed"]) == ("blobs", 0)
    assert row["equal"] == is_equal(row)
    assert row["ari_pieces"] > 0.5 and row["standard_error"] > 0


def test_equal_quality() -> None:
    alike = {"ari": 0.9, "ari_pieces": 0.89, "log_p": -3.0, "log_p_pieces": -3.05}
    assert is_equal(alike | {"standard_error": 0.1})
    assert not is_equal(alike | {"standard_error": 0.01})
    assert not is_equal(alike | {"ari_pieces": 0.87, "standard_error": 0.1})
