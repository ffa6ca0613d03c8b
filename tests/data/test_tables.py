from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from pyro_gmvae.data import TableEncoding, from_frame, load
from pyro_gmvae.errors import InputError


@pytest.fixture
def frame() -> pandas.DataFrame:
    return pandas.DataFrame({"age": [31, 45, 28], "spent": [1.5, 0.25, 4.0]})


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_with_any_usual_separator(
    tmp_path: Path, frame: pandas.DataFrame, separator: str
) -> None:
    data = load(write(tmp_path, frame.to_csv(index=False, sep=separator)))
    assert data.kind is TableEncoding
    assert data.name == "t"
    assert data.feature_names == ("age", "spent")
    assert data.x.dtype == torch.float64
    assert data.x.tolist() == [[31.0, 1.5], [45.0, 0.25], [28.0, 4.0]]
    assert data.class_labels is None


def test_csv_without_a_header_loses_no_row(tmp_path: Path) -> None:
    data = load(write(tmp_path, "1,2.5\n3,4\n"))
    assert data.x.tolist() == [[1.0, 2.5], [3.0, 4.0]]
    assert data.feature_names == ("column 0", "column 1")


def test_csv_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert load(write(tmp_path, "\ufeffa,b\n1,2\n3,4\n")).feature_names == ("a", "b")


def test_parquet_equals_csv(tmp_path: Path, frame: pandas.DataFrame) -> None:
    frame.to_parquet(tmp_path / "t.parquet")
    data = load(str(tmp_path / "t.parquet"))
    assert data.feature_names == ("age", "spent")
    assert torch.equal(data.x, load(write(tmp_path, frame.to_csv(index=False))).x)


def test_label_column_is_numbered_and_taken_out(tmp_path: Path) -> None:
    path = write(tmp_path, "a,kind\n1,red\n2,\n3,blue\n")
    data = load(path, label_column="kind")
    assert data.feature_names == ("a",)
    assert data.class_labels is not None and data.class_labels.tolist() == [1, -1, 0]
    assert data.class_names == ("blue", "red")


def test_booleans_and_nullable_integers_are_numbers() -> None:
    frame = pandas.DataFrame({"b": [True, False], "n": pandas.array([4, 5], dtype="Int64")})
    assert from_frame(frame).x.tolist() == [[1.0, 4.0], [0.0, 5.0]]


def test_column_names_need_not_be_text() -> None:
    assert from_frame(pandas.DataFrame(np.eye(3))).feature_names == ("0", "1", "2")


def test_apply_accepts_a_single_row(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    assert load(path, purpose="apply").x.tolist() == [[1.0, 2.0]]
    with pytest.raises(InputError, match="t has 1 row: give it 2 or more"):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty: give it a header"),
        ("a,b\n", "t has no rows: give it 2 or more"),
        (
            "a\n" + "".join(f"{i}.5\n" for i in range(30)) + "Total\n",
            "column a of numbers with a cell that is not .*: row 30, line 32, holds 'Total'; corr",
        ),
        ("a,b\n1,inf\n2,3\n", r"1 cell that is infinite, in b \(1\)"),
        ("a,b\n1,1e308\n2,3\n", r"too large, beyond 1e.307, in b \(1\)"),
        ("a,b\n1,5\n1,5\n", "same value in every row.*drop a, b"),
        ("a,b\n1,2\n1,2,3\n", "same number of cells"),
        ("a,b\n1,2,9\n1,2,3\n", "2 cells in line 1 and 3 in most lines: .* same number of cells"),
        ("a,,b\n0,5,1\n1,6,1\n", "no name in its header for column 1"),
    ],
)
def test_csv_refuses(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(write(tmp_path, text))


def test_missing_cells_are_gaps() -> None:
    n = pandas.array([4, None, 5], dtype="Int64")
    frame = pandas.DataFrame({"n": n, "s": ["x", "y", None], "f": [None, 1.5, 2.5]})
    data = from_frame(frame)
    assert data.x.isnan().int().tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pandas.DataFrame(np.eye(2), columns=["a", "a"])
    with pytest.raises(InputError, match="two columns called a: rename one"):
        from_frame(frame)


def test_only_a_label_column_leaves_nothing_to_cluster(frame: pandas.DataFrame) -> None:
    with pytest.raises(InputError, match="no columns"):
        from_frame(frame[["age"]], label_column="age")


@pytest.mark.parametrize(("label", "hint"), [("agee", "did you mean age"), ("q", "age, spent")])
def test_unknown_label_column(frame: pandas.DataFrame, label: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        from_frame(frame, label_column=label)


def test_file_that_is_not_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"nothing of the kind")
    (tmp_path / "u.parquet").write_bytes(b"")
    (tmp_path / "t.csv").write_bytes(b"a,b\n\x81,2\n")
    with pytest.raises(InputError, match="not a readable parquet file"):
        load(str(tmp_path / "t.parquet"))
    with pytest.raises(InputError, match="not a readable parquet file"):
        load(str(tmp_path / "u.parquet"))
    with pytest.raises(InputError, match="not Windows-1252 text, for its byte 4 is 81: save"):
        load(str(tmp_path / "t.csv"))
