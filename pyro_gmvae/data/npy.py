"""Read the arrays of ``.npy`` and ``.npz`` files, after their headers are checked."""

import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import cast

import numpy as np
from numpy.lib import format as npy_format

from pyro_gmvae.data.checks import reason
from pyro_gmvae.errors import InputError
from pyro_gmvae.process.memory import check_memory
from pyro_gmvae.process.turns import turn

__all__ = ["read_npy", "read_npz"]

ZIP = b"PK"  # the first bytes of every zip file
CHUNK = 2**24  # bytes that are read at once

Header = tuple[tuple[int, ...], bool, np.dtype]
HEADERS: dict[tuple[int, int], Callable[[BufferedIOBase], Header]] = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}

# What NumPy, zipfile and the decompressors raise for damaged files.
DAMAGE = (
    ValueError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    MemoryError,
)


def read_npy(path: Path) -> np.ndarray:
    """Read the array of an ``.npy`` file; nothing is unpickled.

    Raises:
        InputError: if the file is damaged, holds Python objects, or is larger than the memory.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "x.npy"
    ...     np.save(path, np.arange(3))
    ...     read_npy(path).tolist()
    [0, 1, 2]
    """
    with _damage_reported(path), path.open("rb") as file:
        return _array(file, path.stat().st_size, str(path))


def read_npz(path: Path, wanted: Callable[[Sequence[str]], Sequence[str]]) -> list[np.ndarray]:
    """Read some arrays of an ``.npz`` file; nothing is unpickled.

    Args:
        path: the file.
        wanted: chooses among the names of the file's arrays.

    Raises:
        InputError: as `read_npy`, and for an archive that is encrypted or of another program.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "data.npz"
    ...     np.savez(path, x=np.arange(3), y=np.zeros(2))
    ...     (x,) = read_npz(path, lambda names: [name for name in names if name == "x"])
    >>> x.tolist()
    [0, 1, 2]
    """
    with _damage_reported(path), zipfile.ZipFile(path) as archive:
        members = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if not i.is_dir()}
        arrays = []
        for name in wanted(tuple(members)):
            member = members[name]
            try:
                with archive.open(member) as file:
                    arrays.append(
                        _array(
                            cast(BufferedIOBase, file),
                            member.file_size,
                            f"The array {name} of {path}",
                        )
                    )
                    file.read(1)  # at its end, zipfile compares the checksum
            except (NotImplementedError, RuntimeError) as error:
                if isinstance(error, RecursionError):
                    raise
                # zipfile raises these for encryption and compressions that it does not know.
                raise InputError(
                    f"The array {name} of {path} cannot be unpacked ({error}): write the file with "
                    "numpy.savez."
                ) from error
        return arrays


def is_zip(path: Path) -> bool:
    """Tell an ``.npz`` file from an ``.npy`` file by its content, as NumPy does."""
    with path.open("rb") as file:
        return file.read(len(ZIP)) == ZIP


def _array(file: BufferedIOBase, size: int, what: str) -> np.ndarray:
    """Read one array of ``size`` bytes, the header among them."""
    magic = file.read(npy_format.MAGIC_LEN)
    if not magic.startswith(npy_format.MAGIC_PREFIX) or len(magic) < npy_format.MAGIC_LEN:
        raise InputError(
            f"{what} holds Python objects or is not a NumPy file: store plain numbers, with "
            "numpy.save or numpy.savez."
        )
    version = (magic[-2], magic[-1])
    if version not in HEADERS:
        raise InputError(
            f"{what} has the format {version[0]}.{version[1]} of NumPy's files, which plain "
            "numbers do not need: write it again."
        )
    shape, by_columns, dtype = HEADERS[version](file)
    if dtype.hasobject:
        # NumPy's own message invites the user to allow pickles; this one does not.
        raise InputError(
            f"{what} holds Python objects or is not a NumPy file: store plain numbers, with "
            "numpy.save or numpy.savez."
        )
    if min(shape, default=0) < 0 or dtype.itemsize == 0:
        raise InputError(
            f"{what} is damaged: its header says shape {shape} of type {dtype}; write it again."
        )
    need, have = prod(shape) * dtype.itemsize, size - file.tell()
    if need != have:
        raise InputError(
            f"{what} is damaged or cut short: its header says {need} bytes, and {have} are there; "
            "write it again."
        )
    check_memory(need, what, "use a part of it")
    content = np.empty(need, np.uint8)
    for start in range(0, need, CHUNK):
        part = file.read(min(CHUNK, need - start))
        content[start : start + CHUNK] = np.frombuffer(part, np.uint8)
    return content.view(dtype).reshape(shape, order="F" if by_columns else "C")


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        with turn(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's remarks about odd headers
            yield
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path} may not be read: change its permissions.") from error
    except NotImplementedError as error:
        raise InputError(
            f"{path} is no .npz file of numpy.savez ({error}): write it again."
        ) from error
    except DAMAGE as error:
        raise InputError(
            f"{path} is damaged or cut short ({reason(error)}): write it again."
        ) from error
