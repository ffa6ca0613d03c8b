"""Images from a folder and from an array, from training to assignments."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyro_gmvae.runs import load
from tests.cli.conftest import TINY, Cli

RNG = np.random.default_rng(0)


def write_photos(folder: Path, n: int = 24, size: tuple[int, int] = (8, 8)) -> None:
    """Half of them reddish, half of them bluish, each half in its subfolder."""
    for i in range(n):
        colour = ("red", "blue")[i % 2]
        array = RNG.integers(0, 100, (*size, 3), dtype=np.uint8)
        array[..., 0 if colour == "red" else 2] += 150
        path = folder / colour / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)


def done(cli: Cli, *arguments: object) -> dict:
    result = cli(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_folder_from_training_to_assignments(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(Path("photos"))
    options = ["--augment", "flip+crop", "--likelihood", "continuous_bernoulli"]
    trained = done(cli, "train", "photos", "--out", "run", *TINY, *options)
    assert (trained["data"], trained["n"]) == ("photos", 2) and "accuracy" in trained
    run = load("run")
    assert run.gmvae.event_shape == (3, 8, 8)
    assert run.about.class_names == ("blue", "red")

    # The run finds its folder again from elsewhere.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert done(cli, "evaluate", "../run", "--samples", 5, "--split", "all")["n"] == 24
    more = ["--resume", "--epochs", 2, "--quiet"]
    assert done(cli, "train", "../photos/", "--out", "../run", *more)["n"] == 2

    # New photos, flat: no labels, and each assignment names its file.
    write_photos(Path("new"), 6)
    assert done(cli, "predict", "../run", "new/red", "-o", "a.csv")["rows"] == 3
    with open("a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["row", "file", "cluster", "probability"]
    assert [row["file"] for row in rows] == ["00.png", "02.png", "04.png"]
    assert "accuracy" not in done(cli, "evaluate", "../run", "new/red", "--samples", 5)
    assert cli("sample", "../run", "-o", "a.png").exit_code == 0


def test_sizes_are_those_of_training(cli: Cli) -> None:
    write_photos(Path("photos"))
    write_photos(Path("wide"), 6, size=(10, 12))
    Image.fromarray(RNG.integers(0, 256, (9, 9), dtype=np.uint8)).save("wide/red/grey.png")
    done(cli, "train", "photos", "--out", "own", *TINY)
    words = cli("predict", "own", "wide", "-o", "a.csv").stderr
    assert "different sizes" in words and "give --image-size" in words
    assert done(cli, "predict", "own", "wide", "-o", "a.csv", "--image-size", 8)["rows"] == 7
    Path("wide/red/grey.png").unlink()
    words = cli("predict", "own", "wide", "-o", "a.csv").stderr
    assert "images of shape (3, 10, 12)" in words and "or --image-size 8" in words

    done(cli, "train", "wide", "--image-size", 6, "--out", "given", *TINY)
    assert load("given").gmvae.event_shape == (3, 6, 6)
    assert done(cli, "predict", "given", "photos", "-o", "a.csv")["rows"] == 24
    assert done(cli, "evaluate", "given", "--samples", 5)["n"] == 1


def test_grey_photos_suit_a_model_of_colour(cli: Cli) -> None:
    write_photos(Path("photos"))
    done(cli, "train", "photos", "--out", "run", *TINY)
    Path("grey").mkdir()
    for i in range(3):
        Image.fromarray(RNG.integers(0, 256, (8, 8), dtype=np.uint8)).save(f"grey/{i}.png")
    assert done(cli, "predict", "run", "grey", "-o", "a.csv")["rows"] == 3
    assert done(cli, "evaluate", "run", "grey", "--samples", 5)["n"] == 3


def test_a_built_in_name_goes_before_a_folder(cli: Cli) -> None:
    write_photos(Path("digits"))
    assert done(cli, "train", "digits", "--out", "a", *TINY)["n"] == 180
    assert json.loads(Path("a/train.json").read_text())["settings"]["data"] == "digits"
    assert done(cli, "train", "./digits", "--out", "b", *TINY)["n"] == 2
    assert done(cli, "evaluate", "b", "--samples", 5)["n"] == 2


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_colour_images_in_an_array(cli: Cli, layout: str) -> None:
    x = RNG.integers(0, 256, (30, 7, 8, 3), dtype=np.uint8)
    np.savez("x.npz", x=x if layout == "NHWC" else np.moveaxis(x, 3, 1), y=np.arange(30) % 2)
    options = ["--likelihood", "gaussian", "--augment", "flip"]
    trained = done(cli, "train", "x.npz", "--out", "run", *TINY, *options)
    assert trained["n"] == 3 and "accuracy" in trained
    assert load("run").gmvae.event_shape == (3, 7, 8)
    assert done(cli, "evaluate", "run", "x.npz", "--samples", 5)["n"] == 30
    assert done(cli, "predict", "run", "x.npz", "-o", "a.csv")["rows"] == 30
    assert cli("sample", "run", "-o", "a.png").exit_code == 0
    assert Path("run/clusters.png").read_bytes().startswith(b"\x89PNG")


def test_augmentation_is_another_training(cli: Cli) -> None:
    for augment in ("none", "crop"):
        done(cli, "train", "digits", "--out", augment, *TINY, "--augment", augment)
    metrics = [Path(name, "metrics.csv").read_text() for name in ("none", "crop")]
    assert metrics[0].splitlines()[1].split(",")[2] != metrics[1].splitlines()[1].split(",")[2]
    words = cli("train", "digits", "--out", "none", "--resume", "--augment", "flip").stderr
    assert "begun with augment none, not flip" in words
