"""A checkpoint is one file, whole or not there, and only data."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pyro_gmvae import files
from pyro_gmvae.errors import InputError
from pyro_gmvae.training import fit, state
from pyro_gmvae.training.state import load_checkpoint, save_checkpoint
from tests.helpers.tiny import blobs, quick, tiny

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3, dtype=torch.int64)}
VALUES = {"step": 7, "history": [{"elbo": -1.5}], "best": float("-inf")}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.safetensors"
    save_checkpoint(path, TENSORS, VALUES)
    tensors, values = load_checkpoint(path)
    assert values == VALUES
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype and torch.equal(tensors[name], tensor)
    assert [p.name for p in path.parent.iterdir()] == ["state.safetensors"]


def test_tensors_that_share_memory(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, {"whole": TENSORS["a"], "row": TENSORS["a"][0]}, {})
    assert torch.equal(load_checkpoint(path)[0]["row"], TENSORS["a"][0])


@pytest.mark.parametrize("where", ["write", "replace"])
def test_a_failing_write_leaves_the_old_one(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, TENSORS, VALUES)

    def half_written(target: Path, content: bytes) -> None:
        with target.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("no space left on device")

    def fails(*_: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        if where == "write":
            patch.setattr(Path, "write_bytes", half_written)
        else:
            patch.setattr(files.whole.os, "replace", fails)
        with pytest.raises(OSError, match="no space left"):
            save_checkpoint(path, {"a": torch.zeros(1)}, {"step": 8})
    assert load_checkpoint(path)[1] == VALUES
    save_checkpoint(path, TENSORS, {"step": 9})
    assert load_checkpoint(path)[1] == {"step": 9}
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint at .*: train without --resume"):
        load_checkpoint(tmp_path / "state.safetensors")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def beheaded(path: Path) -> None:
    path.write_bytes(path.read_bytes()[20:])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def without_state(path: Path) -> None:
    save_file(TENSORS, path)


def with_broken_state(path: Path) -> None:
    save_file(TENSORS, path, {"state": '{"version": 1, '})


def with_a_list(path: Path) -> None:
    save_file(TENSORS, path, {"state": "[1]"})


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb()))


class Bomb:
    """What a malicious file would be."""

    def __reduce__(self) -> tuple:
        return (pytest.fail, ("it was unpickled",))


DAMAGES = [truncated, beheaded, emptied, without_state, with_broken_state, with_a_list, pickled]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged(damage: Any, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, TENSORS, VALUES)
    damage(path)
    with pytest.raises(InputError, match="damaged.*train anew"):
        load_checkpoint(path)


def test_another_version(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_file(TENSORS, path, {"state": json.dumps({"version": state.VERSION + 1, **VALUES})})
    with pytest.raises(InputError, match="another version"):
        load_checkpoint(path)


def test_a_training_keeps_nothing_but_tensors_and_json(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    x, _ = blobs()
    fit(tiny(), x, quick(epochs=1), validation=x, checkpoint=path)
    assert all(isinstance(tensor, torch.Tensor) for tensor in load_file(path).values())
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])  # the format: a length, JSON, raw numbers
    kept = json.loads(header["__metadata__"]["state"])
    assert kept["step"] == 4 and len(kept["history"]) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]
