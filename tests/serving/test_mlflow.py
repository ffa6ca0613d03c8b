"""A run as a model of MLflow, loaded in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from pyro_gmvae.data import from_array, from_frame
from pyro_gmvae.errors import InputError
from pyro_gmvae.serving import mlflow as exporting
from pyro_gmvae.serving.mlflow import save_mlflow
from pyro_gmvae.tasks.predict import predict_run
from tests.cli.conftest import run_cli
from tests.helpers.saved_runs import mixed_rows, save_images, save_mixed

mlflow = pytest.importorskip("mlflow")

# MLflow keeps its spans and its settings for the process.
pytestmark = pytest.mark.filterwarnings("ignore")
ELSEWHERE = """
import sys, mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
model.predict(pandas.read_pickle(sys.argv[2])).to_pickle(sys.argv[3])
"""


def in_another_process(model: Path, rows: Any, folder: Path) -> pandas.DataFrame:
    pandas.to_pickle(rows, folder / "rows.pkl")
    made = [model, folder / "rows.pkl", folder / "found.pkl"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE, *map(str, made)],
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return pandas.read_pickle(folder / "found.pkl")


def same(found: pandas.DataFrame, wanted: pandas.DataFrame) -> None:
    wanted = wanted.drop(columns="row")
    assert {*found} == {*wanted, "probabilities"}
    for name in wanted:
        if wanted[name].dtype.kind in "fiu":
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-5, rtol=1e-5)
        else:
            assert found[name].tolist() == wanted[name].tolist()


@pytest.mark.slow
def test_mixed_columns_in_another_process(tmp_path: Path) -> None:
    fitted = save_mixed(tmp_path / "run")
    frame = mixed_rows(60, seed=3, unseen=True)
    arguments = [tmp_path / "run", "--format", "mlflow", "-o", tmp_path / "model"]
    assert run_cli("export", *arguments, "--reject", 0.1).exit_code == 0
    rows = fitted.conform(from_frame(frame, purpose="apply"))
    wanted = predict_run(fitted, rows, density=True, reject=0.1)
    same(in_another_process(tmp_path / "model", frame, tmp_path), wanted)
    pickles = [p for p in (tmp_path / "model").rglob("*") if p.suffix in (".pkl", ".pickle")]
    assert not pickles


@pytest.mark.slow
def test_images_in_another_process(tmp_path: Path) -> None:
    fitted = save_images(tmp_path / "run")
    save_mlflow(tmp_path / "run", tmp_path / "model")
    x = np.random.default_rng(0).integers(0, 256, (20, 1, 5, 6), dtype=np.uint8)
    wanted = predict_run(fitted, from_array(x, purpose="apply"))
    same(in_another_process(tmp_path / "model", x, tmp_path), wanted)


@pytest.fixture
def model(tmp_path: Path) -> Any:
    save_mixed(tmp_path / "run")
    save_mlflow(tmp_path / "run", tmp_path / "model")
    return mlflow.pyfunc.load_model(str(tmp_path / "model"))


def test_signature_and_example_are_those_of_the_schema(model: Any) -> None:
    inputs = model.metadata.get_input_schema().to_dict()
    assert [(c["name"], c["type"], c["required"]) for c in inputs] == [
        ("real", "double", False),
        ("amount", "double", False),
        ("count", "double", False),
        ("rooms", "double", False),
        ("flag", "boolean", False),
        ("tier", "string", False),
        ("gain", "double", False),
        ("since", "datetime", False),
    ]
    outputs = {c["name"]: c["type"] for c in model.metadata.get_output_schema().to_dict()}
    assert (outputs["cluster"], outputs["probability"]) == ("long", "float")
    example = model.input_example
    assert len(example) == 4 and len(model.predict(example)) == 4
    assert len(model.predict(example[["real", "tier"]])) == 4  # a column may be missing


def test_what_cannot_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_mixed(tmp_path / "run")
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="exists: choose another folder"):
        save_mlflow(tmp_path / "run", tmp_path / "taken")
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    with pytest.raises(InputError, match=r"pip install 'pyro-gmvae\[mlflow\]'"):
        exporting.save_mlflow(tmp_path / "run", tmp_path / "model")
