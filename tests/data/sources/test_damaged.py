"""Damaged files: a result or one refusal, never another error."""

import gzip
import io
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import pytest

from pyro_gmvae.data.table_file import load_table
from pyro_gmvae.errors import InputError

FRAME = pandas.DataFrame(
    {
        "spend": np.linspace(-3000, 4000, 12).round(2),
        "visits": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8],
        "tier": list("abcabcabcabc"),
        "flag": [True, False] * 6,
    }
)
SPLINTERS = [
    *(b'"', b"\x00", b"\n", b"\r", b",", b";", b"\t", b"\xff", b"\xfe\xff", b"{", b"[", b"]", b"}"),
    *(b"1e999", b"-", b"NA", b"#", b"%", b"$", "−€é\u2028".encode(), b"nan", b"0x1F", b"9" * 400),
    *(b"[{" * 5, b"sep=;\n", b"\\ud800", b'""', b"\x1a", b"(", b")", b"'", b" ", b"null", b"true"),
]


def parquet(frame: pandas.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def feather(frame: pandas.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_feather(buffer)
    return buffer.getvalue()


NUMBERS = FRAME[["spend", "visits"]]
SOURCES = {
    ".csv": [
        NUMBERS.to_csv(index=False).encode(),
        NUMBERS.to_csv(sep=";", decimal=",").encode("cp1252"),
        FRAME.to_csv(sep=" ").encode("utf-16"),
        b'# title\nspend,who\n"$1,000.50","a ""b"""\n"$2.5","x\ny"\n',
        b"1.5|2|\n3|NA|\n",
    ],
    ".csv.gz": [gzip.compress(NUMBERS.to_csv(index=False).encode())],
    ".json": [
        NUMBERS.to_json(orient="records").encode(),
        FRAME.to_json().encode(),
        FRAME.to_json(orient="records", lines=True).encode(),
    ],
    ".parquet": [parquet(NUMBERS), parquet(FRAME)],
    ".feather": [feather(NUMBERS), feather(FRAME)],
}


def damaged(whole: bytes, rng: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(6)
        if how == 0:
            data[at:at] = rng.choice(SPLINTERS)
        elif how == 1:
            del data[at : at + rng.choice([1, 2, 9])]
        elif how == 2:
            data[at:at] = data[at : at + 20] * rng.choice([1, 3])
        elif how == 3 and rng.random() < 0.3:
            del data[at:]
        elif at < len(data):
            data[at] = rng.randrange(256) if how == 4 else data[at] ^ (1 << rng.randrange(8))
    return bytes(data)


def cases(suffix: str, count: int) -> Iterator[bytes]:
    rng = random.Random(0)
    for _ in range(count):
        yield damaged(rng.choice(SOURCES[suffix]), rng)


@pytest.mark.parametrize("suffix", SOURCES)
@pytest.mark.filterwarnings("error")
def test_a_result_or_one_refusal(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(SOURCES[suffix][0])
    assert load_table(path).x.shape == (12, 2)
    for data in cases(suffix, 150):
        path.write_bytes(data)
        try:
            load_table(path, purpose="apply")
        except InputError as error:
            assert "\n" not in str(error) and len(str(error)) < 2000
