"""Single image files: their headers, limits and damages."""

import io
import random
import struct
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from PIL.ImageFile import ImageFile

from pyro_gmvae.data import load
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError

RNG = np.random.default_rng(0)


def picture(path: Path, *shape: int, **options: object) -> np.ndarray:
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(array).save(path, **options)
    return array


def tall_tiff(path: Path, height: int) -> None:
    """Write a TIFF of few bytes whose header says that it has ``height`` rows."""
    Image.new("RGB", (12, 12)).save(path)
    content = bytearray(path.read_bytes())
    start = struct.unpack("<I", content[4:8])[0]
    for i in range(struct.unpack("<H", content[start : start + 2])[0]):
        entry = start + 2 + 12 * i
        if struct.unpack("<H", content[entry : entry + 2])[0] == 257:
            content[entry : entry + 12] = struct.pack("<HHII", 257, 4, 1, height)
    path.write_bytes(content)


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: ImageFile) -> None:
        raise AssertionError("an image is decoded")

    monkeypatch.setattr(ImageFile, "load", load)


@pytest.mark.parametrize("image_size", [None, 8])
@pytest.mark.parametrize("height", [14_090_252, 90_000_000])
def test_an_image_of_too_many_pixels(
    tmp_path: Path, height: int, image_size: int | None, undecoded: None
) -> None:
    tall_tiff(tmp_path / "1.tif", height)
    with pytest.raises(InputError, match=r"1.tif has .* pixels where 100,000,000 are the most"):
        load(str(tmp_path), purpose="apply", image_size=image_size)


def test_an_image_that_grows_when_it_is_resized(tmp_path: Path, undecoded: None) -> None:
    Image.new("1", (1, 1_000_000)).save(tmp_path / "1.png")
    with pytest.raises(InputError, match="1x1000000 pixels, and far more when it is resized"):
        load(str(tmp_path), purpose="apply", image_size=100)
    with pytest.raises(InputError, match="image size must be at most 10000, got 10001"):
        load(str(tmp_path), purpose="apply", image_size=10_001)


def test_sizes_are_compared_before_anything_is_decoded(tmp_path: Path, undecoded: None) -> None:
    picture(tmp_path / "a.jpg", 4, 6)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / "b.jpg", 4, 6, exif=exif)  # upright it is 6 by 4
    with pytest.raises(InputError, match=r"a.jpg is 6x4, b.jpg is 4x6\): give --image-size"):
        load(str(tmp_path))


def test_all_images_are_compared_with_the_memory(
    tmp_path: Path, undecoded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Free:
        available = 2 * 4 * 5 * 3 - 1

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Free)
    for name in ("a.png", "b.png"):
        picture(tmp_path / name, 4, 5, 3)
    with pytest.raises(InputError, match=r"too little memory for .* with 2 images"):
        load(str(tmp_path))


def test_png_with_its_note_behind_the_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    arrays = []
    for name in ("a.png", "b.png"):
        arrays.append(picture(tmp_path / name, 4, 6, exif=exif))
        content = (tmp_path / name).read_bytes()
        start = content.index(b"eXIf") - 4
        size = 12 + struct.unpack(">I", content[start : start + 4])[0]
        note, rest = content[start : start + size], content[:start] + content[start + size :]
        (tmp_path / name).write_bytes(rest[:-12] + note + rest[-12:])
    data = load(str(tmp_path))
    np.testing.assert_array_equal(data.x[:, 0], np.rot90(np.stack(arrays), -1, (1, 2)))


def test_a_format_that_runs_other_programs_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    )
    with pytest.raises(InputError, match="its format is none of BMP, .*PNG"):
        load(str(tmp_path), purpose="apply")


def test_a_wrong_suffix_does_no_harm(tmp_path: Path) -> None:
    array = picture(tmp_path / "1.png", 4, 4)
    (tmp_path / "1.png").rename(tmp_path / "1.jpg")
    data = load(str(tmp_path), purpose="apply")
    np.testing.assert_array_equal(data.x[0, 0], array)


def test_pillows_remarks_become_one_warning(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / name, 8, 8, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\0")
    with pytest.warns(DataWarning) as caught:
        load(str(tmp_path))
    assert len(caught) == 1
    assert "2 of the images may be damaged, such as a.jpg (" in str(caught[0].message)


def mutants(count: int) -> list[tuple[str, bytes]]:
    """Make damaged images of every format: bytes changed, cut out or put in, or the end cut off."""
    chance = random.Random(0)
    seeds = []
    whole = Image.fromarray(RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    for suffix in (".png", ".jpg", ".bmp", ".ppm", ".webp", ".gif"):
        for mode in ("RGB", "L"):
            file = io.BytesIO()
            whole.convert(mode).save(file, Image.registered_extensions()[suffix])
            seeds.append((".png" if suffix == ".gif" else suffix, file.getvalue()))
    made = []
    for i in range(count):
        suffix, content = seeds[i % len(seeds)]
        changed = bytearray(content)
        for _ in range(chance.choice((1, 1, 3))):
            at = chance.randrange(min(len(changed), chance.choice((80, 10**6))))
            end = at + chance.choice((1, 1, 4, 10**6))
            put = chance.choice((b"", b"\xff" * 4, b"\0" * 4, chance.randbytes(1)))
            changed[at : max(end, at)] = put
            if not changed:
                break
        made.append((suffix, bytes(changed)))
    return made


def test_damaged_images_are_read_or_refused(tmp_path: Path) -> None:
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DataWarning)
        for suffix, content in mutants(300):
            file = tmp_path / f"1{suffix}"
            file.write_bytes(content)
            try:
                load(str(tmp_path), purpose="apply")
            except InputError:
                refused += 1
            file.unlink()
    assert refused > 50
