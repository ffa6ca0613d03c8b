"""Make the sound files that are damaged, and files that are odd by design."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.robustness.forked import run_forked
from tests.robustness.victims import command, make_sources, training

__all__ = ["CHECKPOINT", "WEIGHTS", "crafted", "make_samples", "signed"]

CONFIG, WEIGHTS = "run/config.json", "run/weights.safetensors"
CHECKPOINT = "run/checkpoint/state.safetensors"
HUGE = 10**11  # rows that no memory holds


def make_samples(root: Path) -> Path:
    """Write a run, a file of each kind that can be read, and files of the user's beside."""
    sound = root / "sound"
    sound.mkdir()
    table = make_sources(root)
    frame = pd.read_csv(table)
    numbers = frame[["width", "height"]].to_numpy(np.float32)
    np.save(sound / "x.npy", numbers)
    np.savez_compressed(sound / "x.npz", x=numbers, y=frame["kind"].to_numpy().astype("U1"))
    frame.head(80).to_csv(sound / "x.csv", index=False)
    frame.to_parquet(sound / "x.parquet")
    known = frame["kind"].head(9).rename("label").rename_axis("row").reset_index()
    known.to_csv(sound / "labels.csv", index=False)
    known.rename(columns={"label": "group"}).to_csv(sound / "groups.csv", index=False)
    _photos(sound / "photos")
    (sound / "notes.txt").write_text("mine\n")
    for work in (training(table, "--epochs", 2)(sound / "run"),):
        if (ended := run_forked(work)).code != 0:
            raise RuntimeError(ended.said)
    predicting = command("predict", sound / "run", table, "-o", sound / "answers.csv", "--quiet")
    if (ended := run_forked(predicting)).code != 0:
        raise RuntimeError(ended.said)
    return sound


def signed(folder: Path) -> None:
    """Give a run's changed weights the digest that they should have, as a stranger can."""
    path = folder / CONFIG
    config = json.loads(path.read_text())
    config["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    path.write_text(json.dumps(config))


def crafted() -> list[tuple[str, str, bytes]]:
    """List files that are odd by design: the name, what is odd, and the content."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({HUGE}, 2), }}"
    huge = _npy(header)
    objects = io.BytesIO()
    np.save(objects, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    picture = _png_header(60_000, 60_000)
    tensors = json.dumps({"a": {"dtype": "F32", "shape": [HUGE], "data_offsets": [0, 4 * HUGE]}})
    safetensors = struct.pack("<Q", len(tensors)) + tensors.encode()
    deep = b"[" * 100_000 + b"]" * 100_000
    found = [
        ("x.npy", "claims 10^11 rows", huge),
        ("x.npy", "holds objects", objects.getvalue()),
        ("x.npz", "claims 10^11 rows", _zip({"x.npy": huge})),
        ("x.npz", "holds objects", _zip({"x.npy": objects.getvalue()})),
        ("x.npz", "bomb", _zip({"x.npy": _npy(header.replace(str(HUGE), "400000000")) + _zeros()})),
        ("x.npz", "goes up by its names", _zip({"../x.npy": huge})),
        ("x.csv", "a long field", b"width,height,kind\n" + b"1" * 5_000_000 + b",2,a\n"),
        ("x.csv", "utf-16", "width,height,kind\n1,2,a\n3,4,b\n".encode("utf-16")),
        ("x.csv", "nul bytes", b"width,height,kind\n1,\0,a\n3,4,b\n"),
        ("x.csv", "many columns", b",".join(b"c%d" % i for i in range(20_000)) + b"\n"),
        ("photos/a/0.png", "claims 60000 x 60000", picture),
        ("photos/a/0.png", "a text", b"hello"),
        (WEIGHTS, "claims 10^11 numbers", safetensors),
        (CHECKPOINT, "claims 10^11 numbers", safetensors),
        (WEIGHTS, "claims a header of 2^60 bytes", struct.pack("<Q", 1 << 60)),
        (CHECKPOINT, "claims a header of 2^60 bytes", struct.pack("<Q", 1 << 60)),
        ("run/metrics.csv", "no number", b"epoch,elbo\n1,abc\n"),
        ("run/metrics.csv", "ragged", b"epoch,elbo\n1,2,3,4\n5\n"),
    ]
    for name in (CONFIG, "run/train.json"):
        found += [
            (name, "too deep", deep),
            (name, "a list", b"[]"),
            (name, "utf-16", '{"format": "pyro_gmvae.run"}'.encode("utf-16")),
            (name, "a number of 10^5 digits", b'{"version": ' + b"9" * 100_000 + b"}"),
            (name, "nothing", b""),
        ]
    return found


def _photos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in "ab":
        (folder / kind).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{i}.{'png' if i % 2 == 0 else 'jpg'}")


def _npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _zeros() -> bytes:
    return bytes(2 << 20)


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
