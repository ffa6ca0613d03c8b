"""Damaged and odd NumPy files: each is read or refused, and nothing else happens."""

import io
import random
import warnings
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest

from pyro_gmvae.data import load
from pyro_gmvae.errors import InputError

TABLE = np.random.default_rng(0).normal(size=(8, 3))


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def npz(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "array", [TABLE.astype(t) for t in ("<f2", ">f4", ">f8", "g", ">i4", "u1")], ids=str
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_types_and_orders(tmp_path: Path, array: np.ndarray, order: str) -> None:
    array = np.array(np.abs(array) * 9, dtype=array.dtype, order=order)
    for path, save in ((tmp_path / "a.npy", np.save), (tmp_path / "a.npz", np.savez)):
        save(path, array) if path.suffix == ".npy" else save(path, x=array)
        np.testing.assert_array_equal(load(str(path)).x.numpy(), array.astype(np.float64))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 9)}"),
            "cut short",
        ),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}"), "is damaged"),
        (header("{'descr': '<U0', 'fortran_order': False, 'shape': (2, 3)}"), "is damaged"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (2**999, 3)}"), "damaged"),
        (header("{(" + " " * 30), "damaged"),
        (npy(TABLE) + b"more", "its header says 192 bytes, and 196 are there"),
        (npy(TABLE)[:-1], "its header says 192 bytes, and 191 are there"),
        (b"\x93NUMPY\x09\x00" + b" " * 99, "format 9.0 of NumPy's files"),
        (npy(np.array([(1.0, 2.0)] * 3, "f8,f8")), "of type .*: store numbers"),
        (npy(np.array([1, 2], "M8[s]")), "of type datetime64.*: store numbers"),
        (npy(np.zeros((0, 3))), "no rows"),
        (npy(np.zeros((3, 0))), "no columns"),
        (npy(np.zeros(())), r"shape \(\): give a table"),
    ],
)
def test_refuses(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=words):
        load(str(tmp_path / "a.npy"))
    with pytest.raises(InputError, match=words):
        load(str(npz(tmp_path / "a.npz", {"x.npy": content})))


def test_a_member_that_is_no_array(tmp_path: Path) -> None:
    for members in ({"x": b"raw"}, {"x.npy": npy(TABLE), "y": b""}):
        with pytest.raises(InputError, match=r"The array [xy] of .* is not a NumPy file"):
            load(str(npz(tmp_path / "a.npz", members)))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_read(tmp_path: Path, compression: int) -> None:
    path = npz(tmp_path / "a.npz", {"x.npy": npy(TABLE)}, compression)
    np.testing.assert_array_equal(load(str(path)).x.numpy(), TABLE)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(8, 97, "cannot be unpacked .*compression"), (6, 1, "cannot be unpacked .*encrypted")],
)
def test_archives_that_cannot_be_unpacked(tmp_path: Path, at: int, value: int, words: str) -> None:
    path = npz(tmp_path / "a.npz", {"x.npy": npy(TABLE)})
    content = bytearray(path.read_bytes())
    content[at] = value  # in the header of the member, and in the directory of the archive
    content[content.index(b"PK\x01\x02") + at + 2] = value
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        load(str(path))


def test_a_zip_file_of_zeros_is_compared_with_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Free:
        available = 10**6

    path = npz(tmp_path / "a.npz", {"x.npy": npy(np.zeros((10**6, 3)))}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Free)
    with pytest.raises(InputError, match=r"too little memory for .*: use a"):
        load(str(path))


def mutants(count: int) -> list[tuple[str, bytes]]:
    """Make damaged files: bytes changed, cut out or put in, or the end cut off."""
    chance = random.Random(0)
    seeds = [(".npy", npy(TABLE.astype(t))) for t in ("f8", "f2", ">f4", "g", "c16")]
    seeds.append((".npy", npy(np.array([("a", 1.0)], dtype=[("s", "U3"), ("v", "f8")]))))
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, x=TABLE, y=np.array(list("abcabcab")))
        seeds.append((".npz", file.getvalue()))
    for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr("x.npy", npy(TABLE))
            archive.writestr("y", b"raw")
        seeds.append((".npz", file.getvalue()))
    parts = (b"", b"\xff" * 4, b"\0", b"9", b"(", b")", b"'", b"-", b"O", b"999999999999", b"\\")
    made = []
    for i in range(count):
        suffix, content = seeds[i % len(seeds)]
        changed = bytearray(content)
        for _ in range(chance.choice((1, 1, 3))):
            at = chance.randrange(min(len(changed), chance.choice((140, 10**6))))
            end = at + chance.choice((0, 1, 1, 4, 10**6))
            changed[at:end] = chance.choice((*parts, chance.randbytes(1)))
            if not changed:
                break
        made.append((suffix, bytes(changed)))
    return made


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for suffix, content in mutants(600):
            path = tmp_path / f"a{suffix}"
            path.write_bytes(content)
            try:
                load(str(path))
            except InputError:
                refused += 1
    assert refused > 300
