"""Which reader a name gets, and files that are no files."""

import gzip
import io
import os
import sys
from pathlib import Path

import pytest

from pyro_gmvae.data import load
from pyro_gmvae.data.sources import raw
from pyro_gmvae.data.sources.files import is_table, read_table
from pyro_gmvae.errors import InputError

TEXT = b"a,b\n1,2\n3,4.5\n"


class Standard:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize("name", ["t.csv.gz", "T.TSV.GZ", "t.data.gz"])
def test_packed_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(TEXT))
    data = load(str(tmp_path / name))
    assert data.name.lower() == "t" and data.x.tolist() == [[1, 2], [3, 4.5]]


@pytest.mark.parametrize(
    "damaged", [b"no gzip", gzip.compress(TEXT, mtime=0)[:-9], b"\x1f\x8b\x08" + TEXT]
)
def test_packed_text_that_is_damaged(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "t.csv.gz").write_bytes(damaged)
    with pytest.raises(InputError, match="is not a whole gzip file"):
        load(str(tmp_path / "t.csv.gz"))


def test_a_file_that_unpacks_to_too_much_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "MAX_BYTES", 2**22)
    monkeypatch.setattr(raw, "_PIECE", 2**16)
    read: list[int] = []
    whole = gzip.GzipFile.read

    def count(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        read.append(size or 0)
        return whole(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", count)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"1,2\n" * 2**24))
    with pytest.raises(InputError, match="more than 0.00391 GiB of text.*save the table as .parq"):
        load(str(tmp_path / "t.csv.gz"))
    assert sum(read) < 2 * 2**22


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Standard(b"a;b\n1,5;2\n3;4\n"))
    data = load("-")
    assert data.name == "standard input" and data.x.tolist() == [[1.5, 2], [3, 4]]
    monkeypatch.setattr(sys, "stdin", Standard(b""))
    with pytest.raises(InputError, match="standard input is empty"):
        load("-")


@pytest.mark.parametrize("name", ["pipe.csv", "pipe"])
def test_a_pipe_is_refused_by_name(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} is not a regular file: .* pipe .* to -"):
        load(str(tmp_path / name))


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/x.csv", "s3://bucket/t.parquet", "file:///t.csv", "https:/a.csv"],
)
def test_an_address_is_refused_as_one(address: str) -> None:
    with pytest.raises(InputError, match=f"{address} is an address, and only files are read"):
        load(address)


def test_a_built_in_name_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    assert not is_table("photos") and not is_table("digits") and not is_table("t.npz")
    assert is_table("t.xlsx") and is_table("T.Json.gz")


def test_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"pyro-gmvae\[excel\]|not a readable workbook"):
        read_table(path)
    pytest.importorskip("openpyxl")
    import pandas

    frame = pandas.DataFrame({"spend": [10.5, 1.25], "visits": [1, 2], "day": ["a", "b"]})
    with pandas.ExcelWriter(path) as book:
        frame.to_excel(book, index=False)
        frame.to_excel(book, index=False, sheet_name="other")
    read = read_table(path)
    pandas.testing.assert_frame_equal(read.frame, frame)
    assert read.notes == ("the first of 2 sheets is read",)
