"""Folders of tiny pictures, written here in the formats that users have."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from pyro_gmvae.data import ImageEncoding, load, load_splits
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError

KINDS = ("png", "jpg", "tif", "webp", "bmp")
RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def write(path: Path, array: np.ndarray) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return array


def test_a_flat_folder_has_no_labels_and_goes_by_name(tmp_path: Path) -> None:
    written = {name: write(tmp_path / name, pixels(6, 5)) for name in ("b.png", "a.bmp", "c.PNG")}
    data = load(str(tmp_path))
    assert (data.name, data.kind, data.class_labels) == (tmp_path.name, ImageEncoding, None)
    assert data.x.dtype == torch.uint8
    assert data.row_names == ("a.bmp", "b.png", "c.PNG")
    expected = np.stack([written[name] for name in data.row_names])[:, None]
    np.testing.assert_array_equal(data.x.numpy(), expected)


def test_subfolders_are_classes_as_torchvision_has_them(tmp_path: Path) -> None:
    for name in ("dog/2.png", "dog/1.png", "cat/9.png", "dog/deep/3.png", "ape/1.png"):
        write(tmp_path / name, pixels(4, 4, 3))
    data, theirs = load(str(tmp_path)), ImageFolder(tmp_path)
    assert data.class_names == tuple(theirs.classes) == ("ape", "cat", "dog")
    assert data.class_labels is not None and data.class_labels.tolist() == theirs.targets == [
        0,
        1,
        2,
        2,
        2,
    ]
    assert data.row_names is not None
    assert [str(tmp_path / name) for name in data.row_names] == [path for path, _ in theirs.samples]
    for row, (image, _) in zip(data.x, theirs, strict=True):
        np.testing.assert_array_equal(row.permute(1, 2, 0).numpy(), np.asarray(image))


def test_one_colour_image_makes_all_of_them_colour(tmp_path: Path) -> None:
    grey, colour = (
        write(tmp_path / "a.png", pixels(4, 4)),
        write(tmp_path / "b.png", pixels(4, 4, 3)),
    )
    data = load(str(tmp_path))
    assert data.event_shape == (3, 4, 4)
    np.testing.assert_array_equal(data.x[0].numpy(), np.stack([grey] * 3))
    np.testing.assert_array_equal(data.x[1].numpy(), np.moveaxis(colour, 2, 0))


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("LA", 1), ("P", 3), ("RGBA", 3), ("CMYK", 3)]
)
def test_other_modes_of_8_bits(tmp_path: Path, mode: str, channels: int) -> None:
    suffix = ".tif" if mode == "CMYK" else ".png"
    for name in "ab":
        Image.fromarray(pixels(4, 4, 3)).convert(mode).save(tmp_path / f"{name}{suffix}")
    data = load(str(tmp_path))
    assert data.event_shape == (channels, 4, 4)
    expected = Image.open(tmp_path / f"a{suffix}").convert("L" if channels == 1 else "RGB")
    image = data.x[0].permute(1, 2, 0).squeeze(-1).numpy()
    np.testing.assert_array_equal(image, np.asarray(expected))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int32])
def test_more_than_8_bits_are_refused(tmp_path: Path, dtype: type) -> None:
    write(tmp_path / "deep.tif", np.arange(16).reshape(4, 4).astype(dtype))
    with pytest.raises(InputError, match=r"deep.tif has more than 8 bits a channel .*: save the"):
        load(str(tmp_path), purpose="apply")


def test_a_photo_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was held a quarter turn to the left
    array = pixels(4, 6, 3)
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    data = load(str(tmp_path), purpose="apply")
    np.testing.assert_array_equal(data.x[0].numpy(), np.moveaxis(np.rot90(array, -1), 2, 0))


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        write(tmp_path / name, pixels(3, 3))
    (tmp_path / "readme.txt").touch()
    (tmp_path / "a" / "Thumbs.db").touch()
    (tmp_path / "a" / "._1.png").write_text("leavings of another program")
    (tmp_path / "._x.png").write_text("leavings of another program")
    (tmp_path / "empty").mkdir()
    write(tmp_path / ".thumbnails" / "1.png", pixels(9, 9))
    with pytest.warns(DataWarning, match=r"left out 1 file of other types .* subfolder empty"):
        data = load(str(tmp_path))
    assert data.row_names == ("a/1.png", "b/1.png")
    assert data.class_names == ("a", "b")


def test_image_size_resizes_the_shorter_side_and_crops_the_centre(tmp_path: Path) -> None:
    # Three columns of one colour each: the middle one is what a square has room for.
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 200
    write(tmp_path / "wide.png", wide)
    write(tmp_path / "small.png", np.full((3, 2), 50, np.uint8))
    data = load(str(tmp_path), image_size=6)
    assert data.event_shape == (1, 6, 6)
    assert data.row_names == ("small.png", "wide.png")
    assert (data.x[0] == 50).all()
    assert (data.x[1, 0, :, 1:5] == 200).all()


def test_image_size_of_what_has_it_changes_nothing(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.png", pixels(5, 5, 3))
    assert torch.equal(load(str(tmp_path), image_size=5).x, load(str(tmp_path)).x)


def text(path: Path) -> None:
    path.write_text("hello")


def truncated(path: Path) -> None:
    write(path, pixels(40, 40, 3))
    path.write_bytes(path.read_bytes()[:900])


def bent(path: Path) -> None:
    write(path, pixels(8, 8))
    content = bytearray(path.read_bytes())
    content[20] ^= 255  # in the header, which has a checksum
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        *((damage, f"bad.{kind}") for damage in (Path.touch, truncated, text) for kind in KINDS),
        (bent, "bad.png"),  # the others have no checksums
    ],
)
def test_a_file_that_is_no_image(
    tmp_path: Path, damage: Callable[[Path], object], name: str
) -> None:
    write(tmp_path / "a.png", pixels(40, 40, 3))
    damage(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} is not a readable image \(.+\): write it again"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "is a folder without images: put some in it"),
        (["notes.txt", "a/readme.md"], "is a folder without images: put some in it"),
        (["one.png"], "has 1 row: give it 2 or more"),
        (["x.png", "a/1.png"], "images beside its subfolders, such as x.png beside a: put each"),
        (["train/a/1.png", "test/a/1.png"], "the parts test, train, which are no classes: name"),
        (["train/a/1.png", "val/a/1.png"], "the parts train, val, which are no classes: name"),
    ],
)
def test_what_is_no_folder_of_images(tmp_path: Path, files: list[str], words: str) -> None:
    for file in files:
        write(tmp_path / file, pixels(3, 3)) if file.endswith("png") else None
    with pytest.raises(InputError, match=words):
        load(str(tmp_path))


def test_train_may_be_a_class(tmp_path: Path) -> None:
    for name in ("train", "tram"):
        write(tmp_path / name / "1.png", pixels(3, 3))
    assert load(str(tmp_path)).class_names == ("train", "tram")


def test_images_of_different_sizes(tmp_path: Path) -> None:
    write(tmp_path / "a.png", pixels(3, 4))
    write(tmp_path / "b.png", pixels(5, 4))
    words = r"a.png is 4x3, b.png is 4x5\): give --image-size to resize"
    with pytest.raises(InputError, match=words):
        load(str(tmp_path))


@pytest.mark.parametrize("size", [0, -3])
def test_refuses_an_image_size(tmp_path: Path, size: int) -> None:
    with pytest.raises(InputError, match="image size must be at least 1"):
        load(str(tmp_path), image_size=size)


def test_only_folders_have_an_image_size() -> None:
    with pytest.raises(InputError, match="digits is not a folder of images, so it has no image s"):
        load("digits", image_size=8)


def test_splits_take_labels_and_files_along(tmp_path: Path) -> None:
    for i in range(250):
        write(tmp_path / f"{'ab'[i % 2]}" / f"{i:03}.png", np.full((2, 2), i, np.uint8))
    splits = load_splits(str(tmp_path), seed=0, validation_fraction=0.25, test_fraction=0.2)
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [150, 50, 50]
    for part in parts:
        numbers = part.x[:, 0, 0, 0].tolist()
        assert part.class_labels is not None and part.class_labels.tolist() == [
            i % 2 for i in numbers
        ]
        assert part.row_names == tuple(f"{'ab'[i % 2]}/{i:03}.png" for i in numbers)
    assert sorted(i for part in parts for i in part.x[:, 0, 0, 0].tolist()) == list(range(250))
    again = load_splits(str(tmp_path), seed=0, validation_fraction=0.25, test_fraction=0.2)
    assert again.test.row_names == splits.test.row_names


def test_a_built_in_name_goes_before_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        write(tmp_path / "digits" / f"{name}.png", pixels(3, 3))
    assert len(load("digits")) == 1797
    assert len(load("./digits")) == 2
