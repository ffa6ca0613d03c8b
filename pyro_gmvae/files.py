"""Write files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pyro_gmvae.errors import InputError

__all__ = ["under_prefix", "with_prefix", "written_whole"]

T = TypeVar("T")


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write to, which replaces ``path`` when the context ends well.

    The temporary file is created at once, so that a path which cannot be written is refused
    before the long work. After an error ``path`` is as it was.

    Raises:
        InputError: if ``path`` is a folder or cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder) / "a.txt"
    ...     with written_whole(target) as partial:
    ...         _ = partial.write_text("hello")
    ...     target.read_text()
    'hello'
    """
    final = Path(path)
    partial = final.with_name(f".{final.stem}.partial{final.suffix}")
    if final.is_dir():
        raise InputError(f"{final} is a folder: name a file in it")
    try:
        partial.touch()
    except OSError as error:
        raise InputError(f"{final} cannot be written ({error.strerror}): choose another") from error
    try:
        yield partial
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)


def with_prefix(prefix: str, tensors: dict[str, T]) -> dict[str, T]:
    """Put the names of some tensors under ``prefix/``."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: dict[str, T]) -> dict[str, T]:
    """Find the tensors that `with_prefix` put under ``prefix/``."""
    start = f"{prefix}/"
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
