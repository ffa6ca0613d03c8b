"""The names of the files that tables are written to, and what is in these."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pandas as pd
import pytest

from pyro_gmvae.errors import InputError
from pyro_gmvae.tasks.output import TABLES, check_name, suffix_of, table_output

FRAME = pd.DataFrame({"row": [0, 1], "file": ["=1.png", "b.png"], "p": [0.5, 0.25]})
CSV = "row,file,p\n0,'=1.png,0.5\n1,b.png,0.25\n"


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.csv.gz", "a.parquet"])
def test_the_name_says_what_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with table_output(path) as write:
        write(FRAME)
    content = path.read_bytes()
    if name.endswith("parquet"):
        # No spreadsheet takes this for a formula, so that the names stay.
        assert pd.read_parquet(path)["file"].tolist() == ["=1.png", "b.png"]
    else:
        assert (gzip.decompress(content) if name.endswith("gz") else content) == CSV.encode()
    with table_output(path) as write:
        write(FRAME)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.json", "a.gz", ".csv", "a.csv.zip"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"name a file such as \w+\.csv or \w+\.csv\.gz or .*quet"):
        check_name(name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder: name a file in it"):
        check_name(tmp_path)


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    refused = pytest.raises(InputError, match="cannot have two columns a: name a .csv")
    with refused, table_output(tmp_path / "a.parquet") as write:
        write(frame)
    assert list(tmp_path.iterdir()) == []


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with table_output("-") as write:
        write(FRAME)
    assert capfdbinary.readouterr().out == CSV.encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_takes_text_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert suffix_of(path, TABLES) == ".csv"


def test_an_error_on_the_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), table_output(path) as write:
        write(FRAME)
        raise ZeroDivisionError
    assert path.read_text() == "old"
