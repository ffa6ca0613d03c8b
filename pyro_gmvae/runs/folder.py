"""Prepare the folder of a run, hold it while it is written, and remove nothing but our own files.

========================= ======================================================================
``config.json``           all that rebuilds the model, versioned, with the digest of its weights
``weights.safetensors``   the weights of the model and the numbers of its encoding
``train.json``            the settings that a training was begun with
``metrics.csv``           one row per epoch
``clusters.png``          the rows in each cluster
``history.png``           the course of the training
``reconstructions.png``   images beside their reconstructions
``checkpoint/``           the training's state, for resuming
``tensorboard/``          the metrics for TensorBoard, if they were asked for
========================= ======================================================================

A selection of the number of clusters has ``selection.json``, ``selection.png`` and a file for each
of its trainings.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import is_partial
from pyro_gmvae.files.locks import LOCK_FILES, locked
from pyro_gmvae.files.tensors import read_forms
from pyro_gmvae.stored import DamagedError

__all__ = [
    "CONFIG",
    "FORMAT",
    "METRICS",
    "NEW_WEIGHTS",
    "TRAINING",
    "WEIGHTS",
    "checkpoint_path",
    "clear",
    "open_run_folder",
]

FORMAT = "pyro_gmvae.run"
CONFIG, WEIGHTS, METRICS = "config.json", "weights.safetensors", "metrics.csv"
NEW_WEIGHTS = "weights.new.safetensors"  # until the configuration names them
TRAINING = "train.json"  # written first

FOLDERS = ("checkpoint", "tensorboard")
# The first parts of the names of tensors in a run, of this version and of 0.1, and in a checkpoint.
PARTS = {"model", "encoding", "preprocessor"}
PARTS |= {"order", "weights", "best", "optimizer", "meter", "rng"}
MOST_READ = 64 * 2**20  # bytes of a file whose content is looked at


def checkpoint_path(folder: str | os.PathLike[str]) -> Path:
    """Return the file that keeps the state of a run's training."""
    return Path(folder) / "checkpoint" / "state.safetensors"


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
        made = _make(path)
    except (OSError, ValueError) as error:
        raise _unwritable(given, error) from error
    try:
        with locked(path, shown=given):
            _sweep(path)
            yield path
    finally:
        if made:
            _remove_if_empty(path)


def clear(path: Path, *, keep: Collection[str] = ()) -> None:
    """Remove the files of a run from its folder, and no others.

    Args:
        path: the folder, held by `open_run_folder`.
        keep: names of files that stay.

    Raises:
        InputError: if a file cannot be removed.
    """
    for file in _files(path):
        ours = _stranger(path, file) is None and not _is_leaving(file.name)
        if ours and file.name not in keep:
            try:
                file.unlink()
            except OSError as error:
                raise _unwritable(file, error) from error
    for name in FOLDERS:
        with suppress(OSError):  # it is a link, or something else is in it
            (path / name).rmdir()


def _sweep(path: Path) -> None:
    """Remove what killed processes left half-written."""
    for file in _files(path):
        if _is_leaving(file.name) and file.name not in LOCK_FILES:
            with suppress(OSError):
                file.unlink()


def _check_empty(given: Path, path: Path, hint: str) -> None:
    if path.is_dir() and any(not _is_leaving(entry.name) for entry in path.iterdir()):
        raise InputError(f"{given} exists: choose another folder, or {hint}")


def _check_ours(given: Path, path: Path) -> None:
    """Refuse to overwrite a folder in which anything lies that no run has."""
    if not path.is_dir():
        return
    for file in _files(path):
        reason = _stranger(path, file)
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


def _make(path: Path) -> bool:
    """Make the folder; return True if it was not there."""
    if path.is_dir():
        return False
    path.mkdir(parents=True)
    return True


def _remove_if_empty(path: Path) -> None:
    with suppress(OSError):
        path.rmdir()


def _files(path: Path) -> Iterator[Path]:
    """List the entries of a run folder and those of its own subfolders."""
    for entry in sorted(path.iterdir()):
        if entry.name in FOLDERS and entry.is_dir():
            yield from sorted(entry.iterdir())
        else:
            yield entry


# A run of version 0.1 was written by way of these.
_OLD_PARTIAL = re.compile(
    r"\.(config|weights|train|clusters|history|reconstructions|state|state-\d+|selection"
    r"|K\d+-run\d+-S\d+)\.partial\.\w+"
)


def _is_leaving(name: str) -> bool:
    own = name in LOCK_FILES or name == ".writable" or is_partial(name)
    return own or _OLD_PARTIAL.fullmatch(name) is not None


def _stranger(path: Path, file: Path) -> str | None:
    """Say why a file is not one of a run's; None for one that is."""
    if _is_leaving(file.name) and not file.is_dir():
        return None
    if file.is_dir():
        return "is a folder of something else"
    place = file.relative_to(path).as_posix()
    for pattern, holds in _OURS.items():
        if re.fullmatch(pattern, place):
            return None if holds(file) else "was not written by this program"
    return "is no file of a run"


def _read(file: Path) -> bytes:
    """Return the content of a small file, or its beginning."""
    if not file.is_file():
        return b""
    with file.open("rb") as opened:
        return opened.read(MOST_READ)


def _parsed(file: Path) -> Any:
    try:
        return json.loads(_read(file))
    except (ValueError, RecursionError):
        return None


def _is_config(file: Path) -> bool:
    config = _parsed(file)
    if config is None:  # even a truncated configuration names its format
        return FORMAT.encode() in _read(file)
    return isinstance(config, dict) and config.get("format") == FORMAT


def _is_training(file: Path) -> bool:
    content = _parsed(file)
    return isinstance(content, dict) and {"version", "settings", "train_sha256"} <= content.keys()


def _is_metrics(file: Path) -> bool:
    return _read(file).startswith(b"epoch,step") or not _read(file)


def _is_tensors(file: Path) -> bool:
    """Recognise a safetensors file of ours by the names in its header."""
    try:
        names = read_forms(file)
    except (DamagedError, OSError):
        return True  # it is damaged, and has the name of ours
    return {name.split("/")[0] for name in names} <= PARTS


def _is_selection(file: Path) -> bool:
    content = _parsed(file)
    return isinstance(content, dict) and {"data", "runs", "samples"} <= content.keys()


def _by_its_name(file: Path) -> bool:
    return True


# The files of a run by their names, and how to recognise their content.
_OURS: dict[str, Callable[[Path], bool]] = {
    re.escape(CONFIG): _is_config,
    re.escape(TRAINING): _is_training,
    re.escape(METRICS): _is_metrics,
    "|".join(map(re.escape, (WEIGHTS, NEW_WEIGHTS))): _is_tensors,
    r"checkpoint/state(-\d+)?\.safetensors": _is_tensors,
    r"(clusters|history|reconstructions|selection)\.png": _by_its_name,
    r"tensorboard/events\.out\.tfevents\..*": _by_its_name,
    r"selection\.json": _is_selection,
    r"K\d+-run\d+-S\d+\.npz": _by_its_name,
}


def _unwritable(given: Path, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"{given} cannot be written ({reason}): choose another")
