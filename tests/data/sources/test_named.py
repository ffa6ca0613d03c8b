"""Columns of a file are found by their names, as the file has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyro_gmvae.data.sources.named import read_named_columns
from pyro_gmvae.errors import InputError

TEXT = "id;spend;churn;note\n1;10,85;ja;a\n2;-;nein;\n3;7,5;;b\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "customers.csv"
    path.write_text(TEXT)
    return str(path)


def test_semicolons_decimal_commas_and_gaps(file: str) -> None:
    found = read_named_columns(file, ["churn", "spend"])
    assert list(found) == ["churn", "spend"]
    assert found["churn"].fillna("gap").tolist() == ["ja", "nein", "gap"]
    assert found["spend"].isna().tolist() == [False, True, False]
    assert found["spend"].dropna().tolist() == [10.85, 7.5]


def test_a_name_that_is_given_twice_is_one_column(file: str) -> None:
    assert list(read_named_columns(file, ["id", "id"])) == ["id"]


def test_what_is_refused(file: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column chrn: did you mean churn?"):
        read_named_columns(file, ["chrn"])
    with pytest.raises(InputError, match="There is no file"):
        read_named_columns(str(tmp_path / "other.csv"), ["churn"])
    for source in ("-", "digits", str(tmp_path)):
        with pytest.raises(InputError, match="is no table file"):
            read_named_columns(source, ["churn"])
