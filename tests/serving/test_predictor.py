"""A predictor says of columns what `predict` says of the same rows in a file."""

from __future__ import annotations

import pickle
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
import torch

from pyro_gmvae.data import from_array, from_frame
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError
from pyro_gmvae.models import METHODS
from pyro_gmvae.runs import load
from pyro_gmvae.serving import Predictor
from pyro_gmvae.serving.cells import table_of
from pyro_gmvae.tasks.predict import predict_run
from tests.helpers.saved_runs import CLUSTERS, mixed_rows, save_images, save_mixed

TOLERANCE = 1e-5
EVERY = [*METHODS]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of mixed columns, not to be changed."""
    folder = tmp_path_factory.mktemp("run")
    save_mixed(folder)
    return folder


def images(n: int = 30) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 5, 6), dtype=np.uint8)


def as_numpy(frame: pandas.DataFrame) -> dict[str, Any]:
    return {name: frame[name].to_numpy() for name in frame}


def as_arrow(frame: pandas.DataFrame) -> dict[str, Any]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return {name: table[name] for name in table.column_names}


def as_lists(frame: pandas.DataFrame) -> dict[str, Any]:
    cells = {name: column.astype(object) for name, column in frame.items()}
    return {name: column.where(column.notna(), None).tolist() for name, column in cells.items()}


def as_categories(frame: pandas.DataFrame) -> dict[str, Any]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return {
        n: table[n].dictionary_encode() if n == "tier" else table[n] for n in table.schema.names
    }


def same(found: dict[str, np.ndarray], wanted: pandas.DataFrame) -> None:
    assert {*found} - {"probabilities"} == {*wanted} - {"row"}
    for name in wanted.columns.drop("row"):
        if wanted[name].dtype.kind in "fiu":
            np.testing.assert_allclose(found[name], wanted[name], atol=TOLERANCE, rtol=TOLERANCE)
        else:
            assert found[name].tolist() == wanted[name].tolist()


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("form", [as_numpy, as_arrow, as_lists, as_categories])
def test_mixed_columns_with_gaps_and_unseen_levels(method: str, form: Any, tmp_path: Path) -> None:
    fitted = save_mixed(tmp_path / "run", method)
    frame = mixed_rows(70, seed=5, unseen=True)
    with pytest.warns(DataWarning, match="'tin', 'wood' in tier"):
        rows = fitted.conform(from_frame(frame, purpose="apply"))
    wanted = predict_run(fitted, rows, density=True, reject=0.1)
    predictor = Predictor(tmp_path / "run", reject=0.1)
    with pytest.warns(DataWarning, match=r"'7' in rooms \(\d+ cells\), .* in tier"):
        found = predictor(form(frame) | {"id": np.arange(70)})
    same(found, wanted)
    np.testing.assert_allclose(
        found["probabilities"], fitted.responsibilities(rows.x), atol=TOLERANCE
    )
    assert found["cluster"].dtype == np.int64 and found["probability"].dtype == np.float32
    assert found["probabilities"].shape == (70, CLUSTERS)
    assert len(set(found["likeliest_cluster"].tolist())) > 1  # else all rows would be alike


@pytest.mark.parametrize("method", EVERY)
def test_images(method: str, tmp_path: Path) -> None:
    fitted = save_images(tmp_path / "run", method)
    predictor, x = Predictor(tmp_path / "run"), images()
    assert predictor.columns == ("x",)
    wanted = predict_run(fitted, fitted.conform(from_array(x, purpose="apply")))
    rows = np.empty(len(x), dtype=object)
    rows[:] = list(x)
    for given in (x, x[..., None], x[:, None], torch.from_numpy(x), list(x), rows):
        same(predictor({"x": given}), wanted)


def test_figures_depend_on_the_row_alone(run: Path) -> None:
    predictor, frame = Predictor(run, density=True), mixed_rows(50, seed=2)
    whole = predictor(as_numpy(frame))
    parts = [predictor(as_numpy(frame[i : i + 7])) for i in range(0, 50, 7)]
    for name, values in whole.items():
        joined = np.concatenate([part[name] for part in parts])
        np.testing.assert_allclose(joined, values, rtol=TOLERANCE, atol=TOLERANCE)


def test_no_rows_give_no_figures_of_the_same_types(run: Path) -> None:
    predictor, frame = Predictor(run, reject=0.1), mixed_rows(5)
    some, none = predictor(as_numpy(frame)), predictor(as_numpy(frame[:0]))
    assert {n: (v.dtype, v.shape[1:]) for n, v in some.items()} == {
        n: (v.dtype, v.shape[1:]) for n, v in none.items()
    }
    assert all(len(values) == 0 for values in none.values())


def test_a_pickle_holds_the_path_alone(run: Path) -> None:
    predictor, columns = Predictor(run, density=True), as_numpy(mixed_rows(5))
    pickled = pickle.dumps(predictor)
    assert len(pickled) < 500
    again = pickle.loads(pickled)
    assert "fitted" not in vars(again)
    for name, values in predictor(columns).items():
        np.testing.assert_array_equal(again(columns)[name], values)


def test_threads_do_not_disturb_one_another(run: Path) -> None:
    predictor, columns = Predictor(run), as_numpy(mixed_rows(100))
    wanted = predictor(columns)["probabilities"]
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: found.append(predictor(columns)["probabilities"]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(np.array_equal(f, wanted) for f in found)


def test_a_missing_column_is_a_gap(run: Path) -> None:
    frame = mixed_rows(20)
    columns = as_numpy(frame)
    del columns["gain"]
    with pytest.warns(DataWarning, match="no column gain"):
        found = Predictor(run)(columns)
    frame["gain"] = np.nan
    np.testing.assert_array_equal(
        found["probabilities"], Predictor(run)(as_numpy(frame))["probabilities"]
    )


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({}, "has none of the columns real, amount, count"),
        ({"id": np.arange(3)}, "has none of the columns real"),
        ({"real": np.zeros(3), "tier": ["gold"]}, "has 1 cells in tier and 3 in real"),
        ({"count": np.array([1.0, 2.5])}, "holds 2.5 in row 1 of count"),
        ({"real": ["1.5", "soon"]}, "holds 'soon' in row 1 of real"),
        ({"real": np.zeros((3, 2))}, r"of shape \(3, 2\) as the column real"),
        ({"real": np.array([1.0, np.inf])}, "holds inf in row 1 of real"),
        ({"tier": [b"gold"]}, "in row 0 of tier"),
        ({"tier": ["gold", 3, [1]]}, r"holds \[1\] in row 2 of tier"),
        ({"real": np.array([1j])}, "complex numbers in real"),
    ],
)
@pytest.mark.filterwarnings("ignore::pyro_gmvae.data.checks.DataWarning")
def test_rows_that_do_not_fit_are_refused(
    run: Path, columns: dict[str, Any], error: str, unchecked_shapes: None
) -> None:
    with pytest.raises(InputError, match=error):
        Predictor(run)(columns)


def test_cells_of_every_type_are_found() -> None:
    ten = np.datetime64("2024-01-10T12:00")
    given: dict[str, Any] = {
        "masked": np.ma.masked_array([1.0, 2.0], [False, True]),
        "half": np.array([1.5, np.nan], dtype=np.float16),
        "tensor": torch.tensor([1, 2]),
        "minutes": np.array([ten, "NaT"], dtype="datetime64[m]"),
        "span": np.array([36, "NaT"], dtype="timedelta64[h]"),
        "mixed": np.array([3, "x"], dtype=object),
        "series": pandas.Series(["a", None], dtype="category"),
        "missing": [pandas.NA, "1"],
    }
    found = table_of(given, "rows")
    wanted = [[1.0, np.nan], [1.5, np.nan], [1, 2], [ten.astype(datetime), None], [1.5, None]]
    wanted += [["3", "x"], ["a", None], [None, "1"]]
    for name, cells in zip(given, wanted, strict=True):
        got = found[name].to_pylist()
        assert [None if v != v else v for v in got] == [None if v != v else v for v in cells], name


def test_what_cannot_be_is_refused_at_once(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run folder"):
        Predictor(tmp_path / "none")
    with pytest.raises(InputError, match="reject a larger share"):
        Predictor(run, reject=0.001)
    save_images(tmp_path / "images")
    with pytest.raises(InputError, match="no names for columns: give rows under the key 'x'"):
        Predictor(tmp_path / "images")({"pixels": images()})


def test_an_array_for_a_model_of_an_array(tmp_path: Path) -> None:
    from pyro_gmvae import GMVAE

    x = np.random.default_rng(0).normal(size=(40, 3))
    estimator = GMVAE(n_components=2, max_iter=1).fit(x)
    estimator.save(tmp_path / "run")
    found = Predictor(tmp_path / "run")({"x": x[:9]})
    np.testing.assert_allclose(found["probabilities"], estimator.predict_proba(x[:9]), atol=1e-5)
    assert load(tmp_path / "run").encoding.feature_names is None
