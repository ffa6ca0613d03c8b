"""Hold the folder of a run while it is written, and remove nothing but our own files from it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import unwritable
from pyro_gmvae.files.locks import LOCK_FILES, locked
from pyro_gmvae.runs.contents import FOLDERS, files_of, is_leaving, why_foreign

__all__ = ["clear", "open_run_folder"]


@contextmanager
def open_run_folder(
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    resume: bool = False,
    sources: Sequence[str] = (),
    hint: str = "--overwrite it or --resume its training",
) -> Iterator[Path]:
    """Hold the folder of a run for writing, which is made if it is not there.

    No other process can hold the folder until the context ends. What killed processes left
    half-written is removed; else the files are as they were, for `clear` to remove.

    Args:
        folder: the folder, or a link to one.
        overwrite: whether it may hold a run that is to be replaced, and nothing else.
        resume: whether it may hold a run, and anything else.
        sources: files and folders that the run is made from, which must not lie in the folder.
        hint: how to write into a folder that holds a run, in the message about one.

    Raises:
        InputError: if the folder holds a run and neither ``overwrite`` nor ``resume`` is set, if it
            holds something else than a run, a source lies in it, another process writes to it, or
            it cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with open_run_folder(Path(folder, "a")) as path:
    ...         _ = Path(path, "notes.txt").write_text("mine")
    ...     with open_run_folder(Path(folder, "a"), overwrite=True) as path:
    ...         pass
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: ... because notes.txt in it is no file of a run...
    """
    given = Path(folder)
    try:
        path = Path(os.path.realpath(given))
        if path.exists() and not path.is_dir():
            raise InputError(f"{given} is a file: choose another folder for the run")
        _check_apart(given, path, sources)
        if not (overwrite or resume):
            _check_empty(given, path, hint)
        if overwrite:
            _check_ours(given, path)
        made = not path.is_dir()
        path.mkdir(parents=True, exist_ok=True)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise unwritable(given, error) from error
    try:
        with locked(path, shown=given):
            _sweep(path)
            yield path
    finally:
        if made:
            with suppress(OSError):  # the run is in it
                path.rmdir()


def clear(path: Path, *, keep: Collection[str] = ()) -> None:
    """Remove the files of a run from its folder, and no others.

    Args:
        path: the folder, held by `open_run_folder`.
        keep: names of files that stay.

    Raises:
        InputError: if a file cannot be removed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("metrics.csv", "notes.txt"):
    ...         _ = Path(folder, name).write_text("epoch,step")
    ...     clear(Path(folder))
    ...     [file.name for file in Path(folder).iterdir()]
    ['notes.txt']
    """
    for file in files_of(path):
        ours = why_foreign(path, file) is None and not is_leaving(file.name)
        if ours and file.name not in keep:
            try:
                file.unlink()
            except OSError as error:
                raise unwritable(file, error) from error
    for name in FOLDERS:
        with suppress(OSError):  # it is a link, or something else is in it
            (path / name).rmdir()


def _sweep(path: Path) -> None:
    """Remove what killed processes left half-written."""
    for file in files_of(path):
        if is_leaving(file.name) and file.name not in LOCK_FILES:
            with suppress(OSError):
                file.unlink()


def _check_empty(given: Path, path: Path, hint: str) -> None:
    if path.is_dir() and any(not is_leaving(entry.name) for entry in path.iterdir()):
        raise InputError(f"{given} exists: choose another folder, or {hint}")


def _check_ours(given: Path, path: Path) -> None:
    """Refuse to overwrite a folder in which anything lies that no run has."""
    if not path.is_dir():
        return
    for file in files_of(path):
        reason = why_foreign(path, file)
        if reason is not None:
            name = file.relative_to(path)
            raise InputError(
                f"{given} is not overwritten, because {name} in it {reason}: move it, or choose "
                "another folder"
            )


def _check_apart(given: Path, path: Path, sources: Sequence[str]) -> None:
    """Refuse a folder that holds what the run is made from, or lies in a folder of images."""
    for source in sources:
        if not os.path.exists(source):
            continue
        real = Path(os.path.realpath(source))
        if real.is_relative_to(path):
            raise InputError(
                f"{source} lies in {given}, where the run would be written: choose another folder "
                "for the run"
            )
        if path.is_relative_to(real):
            raise InputError(
                f"{given} lies in {source}, so the pictures of the run would be taken for data: "
                "choose another folder for the run"
            )
