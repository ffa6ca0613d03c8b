"""The recipes of docs/scale.md, as they stand there, on the engines themselves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from tests.cli.conftest import run_cli
from tests.helpers.saved_runs import mixed_rows, save_mixed

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
N = 900
RECIPES = ("Placing rows", "Several processes place rows", "Spark", "Ray")
pytestmark = pytest.mark.filterwarnings("ignore")


def recipe(heading: str) -> str:
    """The first block of code below one of the headings `RECIPES`."""
    assert heading in RECIPES
    below = PAGE.read_text().split(f"# {heading}\n")[1]
    found = re.search(r"```python\n(.*?)```", below, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pandas.DataFrame:
    """What `predict` says of the rows of the recipes, in whose folder the test runs."""
    monkeypatch.chdir(tmp_path)
    # Workers start anew, and find this clone by its path.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    save_mixed(Path("runs/customers"))
    frame = mixed_rows(N, seed=11, unseen=True).assign(id=np.arange(N))
    Path("warehouse/customers").mkdir(parents=True)
    for i, rows in enumerate(np.array_split(np.arange(N), 3)):
        frame.iloc[rows].to_parquet(
            f"warehouse/customers/{i}.parquet", index=False, coerce_timestamps="us"
        )
    told = run_cli("predict", "runs/customers", "warehouse/customers", "-o", "wanted.csv")
    assert told.exit_code == 0, told.output
    return pandas.read_csv("wanted.csv")


def same(wanted: pandas.DataFrame) -> None:
    placed = pandas.read_parquet("warehouse/placed").sort_values("id", ignore_index=True)
    assert placed["id"].tolist() == wanted["row"].tolist()
    assert placed["cluster"].tolist() == wanted["cluster"].tolist()
    np.testing.assert_allclose(placed["probability"], wanted["probability"], atol=1e-5)
    assert wanted["cluster"].nunique() > 1


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_is_a_program(heading: str) -> None:
    compile(recipe(heading), heading, "exec")


def test_a_loop(wanted: pandas.DataFrame) -> None:
    namespace: dict[str, Any] = {}
    exec(recipe("Placing rows"), namespace)
    assert namespace["cluster"].tolist() == wanted["cluster"].tolist()
    np.testing.assert_allclose(namespace["probability"], wanted["probability"], atol=1e-5)


def test_processes_of_torchrun(wanted: pandas.DataFrame) -> None:
    Path("place.py").write_text(recipe("Several processes place rows"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    subprocess.run([*torchrun, "place.py"], check=True, timeout=300)
    assert len(list(Path("warehouse/placed").iterdir())) == 3
    same(wanted)


@pytest.mark.slow
def test_spark(wanted: pandas.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    # Batches of an odd size, so that a partition has several.
    spark = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 70).getOrCreate()
    try:
        exec(recipe("Spark"), {"__name__": "__main__"})
    finally:
        spark.stop()
    same(wanted)


@pytest.mark.slow
def test_ray(wanted: pandas.DataFrame) -> None:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        exec(recipe("Ray"), {"__name__": "__main__"})
    finally:
        ray.shutdown()
    same(wanted)
