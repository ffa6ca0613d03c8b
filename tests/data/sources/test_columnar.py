"""Parquet and feather."""

import decimal
from pathlib import Path

import pandas
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from pyro_gmvae.data import load
from pyro_gmvae.data.sources.files import read_table
from pyro_gmvae.errors import InputError

FRAME = pandas.DataFrame({"spend": [1.5, -2.0, 4.0], "visits": [3, 4, 5]})


def test_parts_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "parts.parquet"
    folder.mkdir()
    for part in (2, 0, 1):
        FRAME[part : part + 1].to_parquet(folder / f"part-{part}.parquet")
    for left_out in ("_metadata", "_x.parquet", ".part-9.parquet", "_SUCCESS"):
        (folder / left_out).write_text("nothing of the kind")
    pandas.testing.assert_frame_equal(read_table(folder).frame, FRAME)
    data = load(str(folder))
    assert (data.name, data.feature_names) == ("parts", ("spend", "visits"))


def test_a_folder_that_is_not_called_parquet(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "a.parquet")
    assert load(str(tmp_path)).x[:, 0].tolist() == [1.5, -2.0, 4.0]


def test_parts_in_folders_of_a_key(tmp_path: Path) -> None:
    for key in (7, 3):
        (tmp_path / f"year={key}").mkdir()
        FRAME.to_parquet(tmp_path / f"year={key}" / "a.parquet")
    assert read_table(tmp_path).frame["year"].tolist() == ["3"] * 3 + ["7"] * 3


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_columns_that_are_numbers_in_other_types(tmp_path: Path, kind: str) -> None:
    table = pa.table(
        {
            "decimal": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(12, 2)),
            "list": pa.array([[1.0, 2.0], [3.0, 4.0]]),
            "inner": pa.array([{"x": 1}, {"x": 2}]),
            "category": pa.array([5, 6]).dictionary_encode(),
            "gap": pa.array([1, None]),
            "text": pa.array(["a", None]),
        }
    )
    path = tmp_path / f"t.{kind}"
    parquet.write_table(table, path) if kind == "parquet" else feather.write_feather(table, path)
    read = read_table(path)
    assert read.notes == ("the lists in list become the columns list 0, list 1, ...",)
    numbers = read.frame.drop(columns="text")
    assert list(numbers) == ["decimal", "list 0", "list 1", "inner.x", "category", "gap"]
    assert numbers.iloc[0].tolist() == [1.5, 1.0, 2.0, 1, 5, 1]
    assert numbers["gap"].isna().tolist() == [False, True]


def test_a_stored_index_is_no_column(tmp_path: Path) -> None:
    FRAME.set_index(pandas.Index(["x", "y", "z"], name="who")).to_parquet(tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert list(read.frame) == ["spend", "visits"] and read.notes == ("the index who is left out",)
    FRAME[::2].to_parquet(tmp_path / "u.parquet")
    assert list(read_table(tmp_path / "u.parquet").frame) == ["spend", "visits"]


def test_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "t.feather").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="t.feather is not a readable feather file"):
        read_table(tmp_path / "t.feather")
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.astype(str).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="is not a readable parquet file"):
        read_table(tmp_path)
