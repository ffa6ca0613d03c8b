"""Read tensors from a file after a look at its header, so that nothing wrong takes memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pyro_gmvae.stored import DamagedError, cut, shortened

__all__ = [
    "TensorForm",
    "compare_forms",
    "digest_of",
    "form_of",
    "read_forms",
    "read_metadata",
    "read_tensors",
    "require_finite",
]

# The words of the file format for torch's types.
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class TensorForm(NamedTuple):
    """Hold the shape of a tensor and its type in the words of the file format.

    >>> TensorForm((2, 3), "F32").dtype
    'F32'
    """

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype} of shape {self.shape}"


def form_of(tensor: Tensor) -> TensorForm:
    """Return the form of a tensor on any device, torch's meta device among them.

    >>> form_of(torch.zeros(2, 3, device="meta"))
    TensorForm(shape=(2, 3), dtype='F32')
    """
    return TensorForm(tuple(tensor.shape), DTYPES.get(tensor.dtype, str(tensor.dtype)))


def read_forms(path: Path) -> dict[str, TensorForm]:
    """Read the names and forms of the tensors in a safetensors file, not their numbers.

    Raises:
        DamagedError: if it is no such file.

    >>> from tempfile import TemporaryDirectory
    >>> from safetensors.torch import save_file
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.safetensors"
    ...     save_file({"bias": torch.zeros(3)}, path)
    ...     read_forms(path)
    {'bias': TensorForm(shape=(3,), dtype='F32')}
    """
    with _opened(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {
            name: TensorForm(tuple(part.get_shape()), part.get_dtype())
            for name, part in slices.items()
        }


def read_metadata(path: Path) -> dict[str, str]:
    """Read the texts that a safetensors file holds beside its tensors.

    Raises:
        DamagedError: if it is no such file.

    >>> from tempfile import TemporaryDirectory
    >>> from safetensors.torch import save_file
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.safetensors"
    ...     save_file({"bias": torch.zeros(3)}, path, {"step": "7"})
    ...     read_metadata(path)
    {'step': '7'}
    """
    with _opened(path) as file:
        return file.metadata() or {}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file that `read_forms` has looked at.

    Raises:
        DamagedError: if it is no safetensors file, or of a type that torch does not have.

    >>> from tempfile import TemporaryDirectory
    >>> from safetensors.torch import save_file
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.safetensors"
    ...     save_file({"bias": torch.ones(2)}, path)
    ...     read_tensors(path)
    {'bias': tensor([1., 1.])}
    """
    with _opened(path) as file:
        # Clones: the file may be replaced or shortened while its tensors are in use.
        return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    """Open a file by a name that safetensors can read, and report its errors as damage."""
    with ExitStack() as stack:
        try:
            os.fspath(path).encode()
        except UnicodeEncodeError:  # safetensors takes no bytes that are no text
            link = Path(stack.enter_context(TemporaryDirectory()), "link.safetensors")
            link.symlink_to(path.absolute())
        else:
            link = path
        try:
            yield stack.enter_context(safe_open(link, "pt"))
        except SafetensorError as error:
            raise DamagedError(
                f"{path.name} is no whole safetensors file ({cut(error)})"
            ) from error


def compare_forms(found: Mapping[str, TensorForm], wanted: Mapping[str, TensorForm]) -> None:
    """Refuse tensors that are not exactly those that are wanted.

    Raises:
        DamagedError: naming the first tensor that is missing, unknown or of another form.

    >>> wanted = {"bias": TensorForm((3,), "F32")}
    >>> compare_forms({"bias": TensorForm((4,), "F32")}, wanted)
    Traceback (most recent call last):
    pyro_gmvae.stored.DamagedError: the tensor 'bias' is F32 of shape (4,), not F32 of shape (3,)
    """
    if missing := wanted.keys() - found.keys():
        raise DamagedError(f"the tensor {shortened(min(missing))} is missing")
    if unknown := found.keys() - wanted.keys():
        raise DamagedError(f"the tensor {shortened(min(unknown))} is unknown")
    for name, form in wanted.items():
        if found[name] != form:
            raise DamagedError(f"the tensor {shortened(name)} is {found[name]}, not {form}")


def digest_of(tensors: Mapping[str, Tensor], text: str) -> str:
    """Return a digest of the content of a file, by which damage is noticed.

    Args:
        tensors: contiguous tensors on the CPU.
        text: the text beside them.

    >>> digest_of({"a": torch.zeros(2)}, "") == digest_of({"a": torch.zeros(2)}, " ")
    False
    """
    digest = blake2b(text.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {form_of(tensors[name])}".encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors with NaN or infinite entries.

    Raises:
        DamagedError: naming the first one.

    >>> require_finite({"bias": torch.zeros(2), "count": torch.tensor(3)})
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise DamagedError(f"the tensor {shortened(name)} has NaN or infinite entries")
