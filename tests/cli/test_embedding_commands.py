"""The command reads embeddings from lists in a Parquet file, and says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pytest
from pyarrow import parquet

from benchmarks.clusters.sphere import von_mises_fisher
from pyro_gmvae.data import EmbeddingEncoding, TableEncoding
from pyro_gmvae.runs import load
from tests.cli.conftest import Cli

QUICK = ["--clusters", 2, "--epochs", 1, "--hidden", 8, "--initialization", "random", "--no-report"]
TOLD = "all rows have unit length, and are taken for embeddings unless the kind is table"


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    x, _ = von_mises_fisher(np.random.default_rng(0), 64, 40, [40, 40])
    column = pa.array(x.astype(np.float32).tolist(), pa.list_(pa.float32()))
    parquet.write_table(pa.table({"vector": column}), tmp_path / "v.parquet")
    return tmp_path / "v.parquet"


def test_embeddings_are_told_by_their_length_and_new_ones_placed(cli: Cli, vectors: Path) -> None:
    result = cli("train", vectors, "--out", "run", *QUICK)
    assert result.exit_code == 0, result.output
    assert result.stderr.count(TOLD) == 1
    assert isinstance(load("run").encoding, EmbeddingEncoding)
    for arguments in (["predict", "run", vectors, "-o", "p.csv"], ["evaluate", "run"]):
        result = cli(*arguments)
        assert result.exit_code == 0, result.output
    assert len(pandas.read_csv("p.csv")) == 80


def test_the_kind_can_be_named(cli: Cli, vectors: Path) -> None:
    for kind, encoding in (("table", TableEncoding), ("embedding", EmbeddingEncoding)):
        result = cli("train", vectors, "--out", kind, "--kind", kind, *QUICK)
        assert result.exit_code == 0, result.output
        assert TOLD not in result.stderr
        assert type(load(kind).encoding) is encoding


def test_images_are_no_embeddings(refused: Cli) -> None:
    error = refused("train", "digits", "--kind", "embedding", "--out", "run", *QUICK)
    assert "the kind embedding is for rows of numbers: leave kind out" in str(error)
