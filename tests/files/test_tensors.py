"""A file of tensors is looked at before its numbers are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pyro_gmvae.files.tensors import (
    DTYPES,
    TensorForm,
    compare_forms,
    form_of,
    read_forms,
    read_tensors,
    require_finite,
)
from pyro_gmvae.stored import DamagedError


def test_forms_in_a_file_are_those_of_the_tensors(tmp_path: Path) -> None:
    tensors = {str(dtype): torch.zeros(2, 3).to(dtype) for dtype in DTYPES}
    tensors |= {"single": torch.tensor(1.5), "none": torch.zeros(0, 4)}
    save_file(tensors, tmp_path / "a.safetensors")
    wanted = {name: form_of(tensor.to("meta")) for name, tensor in tensors.items()}
    assert read_forms(tmp_path / "a.safetensors") == wanted
    compare_forms(read_forms(tmp_path / "a.safetensors"), wanted)
    found = read_tensors(tmp_path / "a.safetensors")
    assert all(torch.equal(found[n].cdouble(), t.cdouble()) for n, t in tensors.items())


def test_tensors_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.arange(1000.0)}, path)
    found = read_tensors(path)["a"]
    path.write_bytes(b"")
    assert torch.equal(found, torch.arange(1000.0))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "the tensor 'a' is missing"),
        ({"a": TensorForm((2,), "F32"), "b": TensorForm((), "F32")}, "the tensor 'b' is unknown"),
        (
            {"a": TensorForm((2, 1), "F32")},
            r"'a' is F32 of shape \(2, 1\), not F32 of shape \(2,\)",
        ),
        ({"a": TensorForm((2,), "F64")}, r"'a' is F64 of shape \(2,\), not F32"),
    ],
)
def test_other_forms(found: dict, words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        compare_forms(found, {"a": TensorForm((2,), "F32")})


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 20, b"\2\0\0\0\0\0\0\0{}more"])
def test_no_such_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    for read in (read_forms, read_tensors):
        with pytest.raises(DamagedError, match="a.safetensors is no whole safetensors file"):
            read(path)


def test_finite() -> None:
    require_finite({"a": torch.ones(3), "b": torch.tensor([2**62])})
    for value in (torch.nan, torch.inf, -torch.inf):
        with pytest.raises(DamagedError, match="'b' has NaN or infinite"):
            require_finite({"a": torch.ones(3), "b": torch.tensor([1.0, value])})
