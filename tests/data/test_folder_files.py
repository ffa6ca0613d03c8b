"""What else a folder of images may hold: links, pipes, other files, names that are no text."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pyro_gmvae.data import Dataset, load
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.errors import InputError

LEVELS = iter(range(1, 256))


def picture(path: Path) -> Path:
    """A picture unlike all others, so that rows can be counted by their values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 3), next(LEVELS)).save(path)
    return path


def warned(folder: Path) -> tuple[Dataset, str]:
    with pytest.warns(DataWarning) as caught:
        data = load(str(folder))
    assert len(caught) == 1
    assert len(data.x.unique()) == len(data)
    return data, str(caught[0].message)


def silently(folder: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load(str(folder))


def test_links_in_circles(tmp_path: Path) -> None:
    for name in ("im/a/1.png", "im/a/2.png", "im/b/3.png", "beside/4.png"):
        picture(tmp_path / name)
    folder = tmp_path / "im"
    for link, to in {"a/x": ".", "a/y": "..", "a/up": "../..", "b/a": "../a", "c": "a"}.items():
        (folder / link).symlink_to(to, target_is_directory=True)
    data, message = warned(folder)
    assert data.row_names == ("a/1.png", "a/2.png", "b/3.png")
    assert data.class_names == ("a", "b")
    assert "left out 5 links to what is read already, such as" in message


def test_a_file_is_read_once_and_not_by_its_link(tmp_path: Path) -> None:
    real = picture(tmp_path / "im" / "b.png")
    picture(tmp_path / "im" / "c.png")
    (tmp_path / "im" / "a.png").symlink_to(real)
    (tmp_path / "im" / "d.png").hardlink_to(tmp_path / "im" / "c.png")
    data, message = warned(tmp_path / "im")
    assert data.row_names == ("b.png", "c.png")
    assert "2 links to what is read already, such as d.png" in message


def test_a_folder_of_links_is_read(tmp_path: Path) -> None:
    files = [picture(tmp_path / "store" / "deep" / f"{i}.png") for i in range(3)]
    folder = tmp_path / "subset"
    (folder / "one").mkdir(parents=True)
    (folder / "one" / "a.png").symlink_to(files[0])
    (folder / "two").symlink_to(tmp_path / "store", target_is_directory=True)
    data = warned(folder)[0]
    assert data.row_names == ("two/deep/0.png", "two/deep/1.png", "two/deep/2.png")


@pytest.mark.parametrize("name", ["gone.png", "gone"])
def test_a_link_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "1.png")
    (tmp_path / name).symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match=f"{name} is a link that leads nowhere .*: mend it"):
        load(str(tmp_path))


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "1.png").symlink_to(tmp_path / "1.png")
    with pytest.raises(InputError, match=r"1.png is a link that leads nowhere"):
        load(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_left_out(tmp_path: Path) -> None:
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    os.mkfifo(tmp_path / "pipe.png")
    data, message = warned(tmp_path)
    assert data.row_names == ("a.png", "b.png")
    assert "1 pipe, socket or device, such as pipe.png" in message


def test_everything_left_out_is_told_once(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        picture(tmp_path / name)
    for name in ("a/2.heic", "a/3.gif", "notes", "b/4.heic"):
        (tmp_path / name).touch()
    for name in ("empty", "void", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "Thumbs.db").touch()
    _, message = warned(tmp_path)
    assert message == (
        f"{tmp_path}: left out 4 files of other types (.gif, .heic, no suffix), such as notes "
        "(convert images to .png or .jpg); the subfolders empty, void without images."
    )


def test_hidden_files_and_folders_are_silent(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", ".thumbs/1.png", "a/.thumbs/1.png", "a/._1.png"):
        picture(tmp_path / name)
    assert silently(tmp_path).row_names == ("a/1.png", "b/1.png")


def test_a_folder_of_other_files_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "1.heic").touch()
    with pytest.raises(InputError, match=r"without images, but with 1 file of other types \(.heic"):
        load(str(tmp_path))


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "a" / "1.png")
    listed = Path.iterdir

    def refuse(folder: Path):
        if folder.name == "a":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"a cannot be read \(Permission denied\): change its p"):
        load(str(tmp_path))


def test_names_that_are_no_text_can_be_written(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "caf") + b"\xe9"
    os.mkdir(folder)
    try:
        for i in b"12":
            os.mkdir(folder + b"/%c\xff" % i)
            Image.new("L", (3, 3), i).save(os.fsdecode(folder + b"/%c\xff/\xfe.png" % i))
    except OSError:
        pytest.skip("this file system has no such names")
    data = load(os.fsdecode(folder))
    assert data.name == "caf\\xe9"
    assert data.class_names == ("1\\xff", "2\\xff")
    assert data.row_names == ("1\\xff/\\xfe.png", "2\\xff/\\xfe.png")
    "".join((data.name, *data.class_names, *data.row_names)).encode()  # raises for what is no text
    Path(os.fsdecode(folder + b"/1\xff/\xfe.png")).write_bytes(b"damaged")
    with pytest.raises(InputError) as error:
        load(os.fsdecode(folder))
    str(error.value).encode()


def test_a_deep_folder(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    picture(deep / "1.png")
    picture(deep / "2.png")
    data = silently(tmp_path)
    assert data.class_labels is not None and torch.equal(data.class_labels, torch.zeros(2).long())
    assert np.unique(data.x).size == 2
