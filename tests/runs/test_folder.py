"""The folder of a run: only files of ours are removed, and only one process writes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pyro_gmvae.data import TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.files.locks import LOCK_FILES
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs import load, save_run
from pyro_gmvae.runs.contents import checkpoint_path
from pyro_gmvae.runs.folder import clear, open_run_folder
from tests.helpers.tiny import tiny

RUNS_V1 = Path(__file__).parents[1] / "helpers" / "runs_v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was saved."""
    save_run(tmp_path / "run", FittedModel(tiny(), TableEncoding((4,))))
    return tmp_path / "run"


def names(path: Path) -> set[str]:
    found = (f for f in path.rglob("*") if f.name not in LOCK_FILES)
    return {f.relative_to(path).as_posix() for f in found}


def overwrite(path: Path) -> set[str]:
    """Do as a training with --overwrite does, and return what is left."""
    with open_run_folder(path, overwrite=True) as opened:
        clear(opened)
        return names(opened)


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    with open_run_folder(tmp_path / "a" / "b") as path:
        assert names(path) == set()
        (path / "config.json").touch()
    assert path == tmp_path / "a" / "b" and names(path) == {"config.json"}


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_run_folder(tmp_path / "run"):
        raise ZeroDivisionError
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(ZeroDivisionError), open_run_folder(tmp_path / "mine"):
        raise ZeroDivisionError
    assert (tmp_path / "mine").is_dir()


def test_an_existing_run(folder: Path) -> None:
    with (
        pytest.raises(InputError, match="exists: choose another folder, or --overwrite .*--resume"),
        open_run_folder(folder),
    ):
        pass
    for arguments in ({"resume": True}, {"overwrite": True}):
        with open_run_folder(folder, **arguments):
            load_quietly(folder)
    (folder / "clusters.png").touch()
    assert overwrite(folder) == set()


@pytest.mark.filterwarnings("ignore:.*trained or written")
def load_quietly(folder: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load(folder)


def test_an_interrupted_run_may_be_overwritten(tmp_path: Path) -> None:
    for file in (checkpoint_path(tmp_path), tmp_path / "checkpoint" / "state-1.safetensors"):
        file.parent.mkdir(exist_ok=True)
        save_file({"rng/cpu": torch.zeros(1)}, file, {"state": "{}"})
    (tmp_path / "metrics.csv").write_text("epoch,step,loss\n")
    assert overwrite(tmp_path) == set()


def test_a_damaged_run_may_be_overwritten(folder: Path) -> None:
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text[: len(text) // 2])
    (folder / "weights.safetensors").write_bytes(b"damaged")
    assert overwrite(folder) == set()


def test_a_run_of_version_1_may_be_overwritten(tmp_path: Path) -> None:
    for run in RUNS_V1.iterdir():
        if (run / "config.json").is_file():
            copy = tmp_path / run.name
            copy.mkdir()
            for file in run.iterdir():
                (copy / file.name).write_bytes(file.read_bytes())
            kept = {f for f in names(copy) if f not in ("config.json", "weights.safetensors")}
            for file in kept - {"train.json", "metrics.csv"}:
                (copy / file).unlink()
            assert overwrite(copy) == set()


STRANGERS = {
    "thesis.tex": "precious",
    "data.npy": "precious",
    "train.json": '{"version": "1.1", "data": []}',  # SQuAD
    "config.json": '{"model_type": "of another program"}',
    "selection.json": '{"mine": 1}',
    "metrics.csv": "month,revenue\n1,2\n",
    "checkpoint/notes.txt": "precious",
    "checkpoint/deep/state.safetensors": "precious",
    "clusters.png/mine.txt": "precious",
    "README.md": "# My thesis",
    "report.html": "<html>the annual report</html>",
    "report.json": '{"revenue": 1}',
    "sub/config.json": "{}",
    ".env": "precious",
}


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("beside", ["nothing", "a run"])
def test_what_is_no_file_of_a_run_is_not_removed(
    name: str, beside: str, folder: Path, tmp_path: Path
) -> None:
    path = folder if beside == "a run" else tmp_path / "new"
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(STRANGERS[name])
    before = {file: (path / file).is_dir() or (path / file).read_bytes() for file in names(path)}
    with (
        pytest.raises(InputError, match=f"not overwritten, because {name.split('/')[0]}"),
        open_run_folder(path, overwrite=True),
    ):
        pass
    after = {file: (path / file).is_dir() or (path / file).read_bytes() for file in names(path)}
    assert after == before


@pytest.mark.parametrize("leaving", [".writable", ".lock", ".0123456789abcdef.partial.csv"])
def test_our_own_leavings_are_nothing(leaving: str, tmp_path: Path) -> None:
    (tmp_path / leaving).touch()
    with open_run_folder(tmp_path) as path:
        assert names(path) == set()


def test_pictures_alone_may_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "clusters.png").touch()
    with pytest.raises(InputError, match="exists"), open_run_folder(tmp_path):
        pass
    assert overwrite(tmp_path) == set()


def test_leavings_of_a_killed_checkpoint_are_removed(folder: Path) -> None:
    leaving = folder / "checkpoint" / ".0123456789abcdef.partial.safetensors"
    leaving.parent.mkdir()
    leaving.touch()
    (folder / ".state.partial.safetensors").touch()
    with open_run_folder(folder, resume=True):
        assert names(folder) == {"README.md", "config.json", "weights.safetensors", "checkpoint"}


@pytest.mark.parametrize("arguments", [{"overwrite": True}, {"resume": True}])
def test_data_in_the_folder(arguments: dict[str, bool], folder: Path) -> None:
    data = folder / "metrics.csv"
    data.write_text("epoch,step,loss\n1,2,3\n")
    link = folder.parent / "link.csv"
    link.symlink_to(data)
    for source in (data, link):
        with (
            pytest.raises(InputError, match=f"{source.name} lies in .*choose another folder"),
            open_run_folder(folder, sources=[str(source)], **arguments),
        ):
            pass
    assert data.is_file()


def test_a_folder_among_the_images(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="would be taken for data"),
        open_run_folder(tmp_path / "run", sources=[str(tmp_path)]),
    ):
        pass
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [{}, {"overwrite": True}, {"resume": True}])
def test_a_file_in_the_way(arguments: dict[str, bool], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with (
        pytest.raises(InputError, match="is a file: choose another folder"),
        open_run_folder(tmp_path / "file", **arguments),
    ):
        pass
    for bad in ("file/run", "a" * 300, "a\0b"):
        with (
            pytest.raises(InputError, match=r"cannot be written .*: choose another"),
            open_run_folder(tmp_path / bad, **arguments),
        ):
            pass
    assert (tmp_path / "file").read_text() == "precious"


def test_a_linked_folder(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert overwrite(link) == set()
    assert link.is_symlink() and folder.is_dir()
    elsewhere = folder.parent / "elsewhere"
    link.unlink()
    link.symlink_to(elsewhere)  # a link to nothing
    with open_run_folder(link) as path:
        (path / "config.json").touch()
    assert path == elsewhere and link.is_symlink()


def test_links_in_the_folder(folder: Path) -> None:
    scratch = folder.parent / "scratch"
    scratch.mkdir()
    (folder / "checkpoint").symlink_to(scratch)
    (scratch / "state.safetensors").touch()
    precious = folder.parent / "precious.csv"
    precious.write_text("epoch,step\n")
    (folder / "metrics.csv").symlink_to(precious)
    assert overwrite(folder) == {"checkpoint"}
    assert precious.is_file() and os.listdir(scratch) == []


def test_a_training_is_recognised_by_its_settings(tmp_path: Path) -> None:
    content = {"version": 2, "settings": {}, "train_sha256": "a"}
    (tmp_path / "train.json").write_text(json.dumps(content))
    assert overwrite(tmp_path) == set()
