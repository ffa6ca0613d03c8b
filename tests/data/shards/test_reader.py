"""Rows that are read in pieces are those that are read at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from pyro_gmvae.data import Schema, load
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.data.columns.conform import conform_columns
from pyro_gmvae.data.schema import Column
from pyro_gmvae.data.shards import Conformer, conforming_rows
from pyro_gmvae.errors import InputError
from tests.helpers.shards import mixed, write_shards


def streamed(source: Path, schema: Schema, rows: int = 97, **options: bool) -> np.ndarray:
    return np.concatenate([p.x for p in conforming_rows(source, schema, rows=rows, **options)])


def at_once(source: Path, schema: Schema) -> np.ndarray:
    data = load(str(source), purpose="apply")
    return conform_columns(data, schema, takes_gaps=True).x.numpy()


def test_parquet_in_pieces_is_parquet_at_once(tmp_path: Path) -> None:
    folder = write_shards(mixed(), tmp_path / "t")
    schema = load(str(folder)).schema
    assert schema is not None
    kinds = {c.name: c.kind for c in schema.columns}
    assert {"real", "amount", "count", "category", "date", "binary"} <= set(kinds.values())
    new = write_shards(mixed(700, seed=1), tmp_path / "new")
    found = streamed(new, schema)
    assert np.isnan(found).any()
    np.testing.assert_array_equal(found, at_once(new, schema))


def test_text_in_pieces_is_text_at_once(tmp_path: Path) -> None:
    frame = mixed(800).assign(member=lambda f: np.where(f["member"], "yes", "no"))
    frame.loc[3, "size"] = np.nan
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False, sep=";", na_rep="?")
    schema = load(str(path)).schema
    assert schema is not None
    np.testing.assert_array_equal(streamed(path, schema), at_once(path, schema))


def test_types_that_training_did_not_have(tmp_path: Path) -> None:
    schema = Schema(
        (
            Column("money"),
            Column("code", "category", "text", levels=("1", "2")),
            Column("flag", "binary", "boolean", levels=("false", "true")),
            Column("day", "date", "date", format="%Y-%m-%d"),
            Column("vector 1"),
        )
    )
    table = pa.table(
        {
            "money": pa.array([Decimal("1.50"), None, Decimal("-2.25")]),
            "code": pa.array([1, 2, None]),
            "flag": pa.array(["yes", "no", None]),
            "day": pa.array(["2024-01-31", None, "1970-01-02"]),
            "vector": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float16())),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    nan = np.nan
    wanted = [[1.5, 0, 1, 19753, 2], [nan, 1, 0, nan, 4], [-2.25, nan, nan, 1, 6]]
    np.testing.assert_array_equal(streamed(tmp_path / "t.parquet", schema), wanted)


def test_times_of_any_zone_and_unit(tmp_path: Path) -> None:
    times = pd.Series(pd.to_datetime(["2024-03-01 12:00", None, "1969-12-31 06:00"]))
    frame = pd.DataFrame(
        {"a": times, "b": times.dt.tz_localize("Europe/Berlin"), "c": times.dt.as_unit("s")}
    )
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    schema = Schema(tuple(Column(n, "date", "date", format="%Y-%m-%dT%H:%M:%S") for n in "abc"))
    np.testing.assert_array_equal(streamed(path, schema), at_once(path, schema))


def test_a_folder_is_a_column(tmp_path: Path) -> None:
    for country in ("FR", "DE"):
        write_shards(mixed(50), tmp_path / f"country={country}", n=1)
    schema = Schema((Column("country", "binary", "text", levels=("DE", "FR")),))
    assert streamed(tmp_path, schema).ravel().tolist() == [0.0] * 50 + [1.0] * 50


def test_unseen_levels_are_gaps_and_told_once(tmp_path: Path) -> None:
    folder = write_shards(mixed(300), tmp_path / "t")
    schema = Schema((Column("tier", "category", "text", levels=("gold", "silver")),))
    with pytest.warns(DataWarning, match="'bronze' in tier") as told:
        found = streamed(folder, schema)
    assert len(told) == 1
    tiers = mixed(300)["tier"]
    np.testing.assert_array_equal(np.isnan(found.ravel()), ~tiers.isin(["gold", "silver"]))
    conformer = Conformer(schema)
    list(conforming_rows(folder, schema, conformer=conformer))
    assert conformer.unseen == {"tier": (tiers == "bronze").sum()}


@pytest.mark.parametrize(
    ("name", "cell", "words"),
    [
        ("height", "tall", "part-2.parquet holds 'tall' in row 31 of height"),
        ("visits", "-4", "part-2.parquet holds -4 in row 31 of visits"),
        ("visits", "2.5", "part-2.parquet holds 2.5 in row 31 of visits"),
        ("spend", "inf", "part-2.parquet holds inf in row 31 of spend"),
    ],
)
def test_a_late_odd_cell_is_named(tmp_path: Path, name: str, cell: str, words: str) -> None:
    frame = mixed(300)
    schema = load(str(write_shards(frame, tmp_path / "t"))).schema
    assert schema is not None
    late = frame.iloc[200:].reset_index(drop=True)
    late[name] = late[name].astype(str)
    late.loc[31, name] = cell
    if cell != "tall":
        late[name] = late[name].replace("None", "nan").astype(float)
    late.to_parquet(tmp_path / "t" / "part-2.parquet", row_group_size=30)
    with pytest.raises(InputError, match=words):
        streamed(tmp_path / "t", schema, rows=20)


def test_dates_of_another_form_are_not_guessed_by_a_piece(tmp_path: Path) -> None:
    # By the second piece alone the day would be the month.
    days = ["2024-01-31", "2024-02-01", "05-03-2024", "06-03-2024"]
    pd.DataFrame({"day": days}).to_csv(tmp_path / "t.csv", index=False)
    schema = Schema((Column("day", "date", "date", format="%Y-%m-%d"),))
    with pytest.raises(InputError, match=r"'05-03-2024' in row 2 of day.*dates like 2024-01-31"):
        streamed(tmp_path / "t.csv", schema, rows=2)
    pd.DataFrame({"day": [*days[:2], "soon"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(DataWarning, match="'soon' in day"):
        assert streamed(tmp_path / "t.csv", schema, rows=2).ravel()[:2].tolist() == [19753, 19754]


def test_a_shard_without_a_column(tmp_path: Path) -> None:
    folder = write_shards(mixed(300), tmp_path / "t")
    schema = Schema((Column("height"), Column("visits", "count")))
    mixed(10).drop(columns="visits").to_parquet(folder / "z.parquet")
    with pytest.raises(InputError, match=r"z\.parquet lacks the column visits"):
        streamed(folder, schema)
    with pytest.warns(DataWarning, match="no column visits"):
        found = streamed(folder, schema, takes_gaps=True)
    assert np.isnan(found[-10:, 1]).all()
    assert not np.isnan(found[:-10, 1]).any()


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet", "empty"])
def test_what_cannot_be_read_in_pieces(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="cannot be read in pieces"):
        next(conforming_rows(tmp_path / name, Schema((Column("a"),))))


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(InputError, match="not a readable parquet file"):
        next(conforming_rows(tmp_path / "t.parquet", Schema((Column("a"),))))
