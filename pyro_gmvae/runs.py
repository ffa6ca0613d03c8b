"""Keep a fitted model as a run folder: files that are data, not code.

========================= ======================================================================
``config.json``           all that rebuilds the model, versioned, with the digest of its weights
``weights.safetensors``   the weights of the model and the numbers of its encoding
``train.json``            the settings that a training was begun with
``metrics.csv``           one row per epoch
``clusters.png``          the rows in each cluster
``history.png``           the course of the training
``reconstructions.png``   images beside their reconstructions
``checkpoint/``           the training's state, for resuming
========================= ======================================================================
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.models import to_config
from pyro_gmvae.run_model import check_numbers, read_model, tensors_of
from pyro_gmvae.stored import (
    MOST_BYTES,
    DamagedError,
    cut,
    parse_json,
    read_bytes,
    shortened,
    typed,
)
from pyro_gmvae.training import MetricsCSV, Record
from pyro_gmvae.training.device import make_accelerator

__all__ = [
    "checkpoint_path",
    "load",
    "open_run_folder",
    "read_training",
    "save_run",
    "write_training",
]

FORMAT = "pyro_gmvae.run"
VERSION = 2
CONFIG, WEIGHTS, METRICS = "config.json", "weights.safetensors", "metrics.csv"
TRAINING = "train.json"  # written first
MOST_METRICS = 2**28  # bytes: a million epochs


def checkpoint_path(folder: str | os.PathLike[str]) -> Path:
    """Return the file that keeps the state of a run's training."""
    return Path(folder) / "checkpoint" / "state.safetensors"


def open_run_folder(
    folder: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False
) -> Path:
    """Prepare the folder of a run: new and empty, or as it was if it is to be resumed.

    Raises:
        InputError: if it exists and neither ``overwrite`` nor ``resume`` is set, if it holds
            something else than a run, or cannot be written.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: choose another folder for the run")
    occupied = path.is_dir() and any(path.iterdir())
    if occupied and not (overwrite or resume):
        raise InputError(
            f"{path} exists: choose another folder, --overwrite it or --resume its training"
        )
    if occupied and not resume and not _is_run(path):
        raise InputError(f"{path} is not a run folder, so it is not overwritten: choose another")
    try:
        if occupied and not resume:
            shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): choose another") from error
    return path


def save_run(folder: str | os.PathLike[str], fitted: FittedModel) -> None:
    """Write ``fitted`` into ``folder``, with the configuration last, so that half a run is none.

    Raises:
        InputError: if a weight is NaN or infinite, or there is too much to tell of the training.
        ValueError: if the model cannot be rebuilt from a file (see `pyro_gmvae.models.to_config`).
    """
    path = Path(folder)
    model = to_config(fitted.gmvae)
    tensors = tensors_of(fitted.gmvae, fitted.encoding)
    try:
        check_numbers(tensors)
    except DamagedError as error:
        raise InputError(f"the model cannot be saved ({error}): train it again") from error
    weights = save({name: t.detach().cpu().clone() for name, t in tensors.items()})
    config = {
        "format": FORMAT,
        "version": VERSION,
        "model": model,
        "dtype": str(next(fitted.gmvae.parameters()).dtype).removeprefix("torch."),
        "encoding": fitted.encoding.to_config(),
        "about": fitted.about.to_dict(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(config, indent=2) + "\n"
    if len(text) > MOST_BYTES:  # `load` would refuse it
        raise InputError(
            f"the model cannot be saved, since its configuration is larger than {MOST_BYTES:,} "
            "bytes: give fewer rows labels or groups"
        )
    path.mkdir(parents=True, exist_ok=True)
    if fitted.history:
        MetricsCSV(path / METRICS).start(0, fitted.history)
    for name, content in {WEIGHTS: weights, CONFIG: text.encode()}.items():
        with written_whole(path / name) as partial:
            partial.write_bytes(content)


def load(folder: str | os.PathLike[str], device: str = "cpu") -> FittedModel:
    """Read a run that a training or `GMVAE.save` wrote, in this version or in 0.1.

    Nothing is unpickled: a model from a stranger is only data. Nothing is allocated before the
    weights are known to be those of the configuration. A damaged history is left out, with a
    warning.

    Args:
        folder: the folder of the run.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU if there is one.

    Raises:
        InputError: if there is no run, it is truncated or of another version, its weights are not
            those it was saved with, or the device is not there.
    """
    where = make_accelerator(defaults.device(device)).device
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"there is no run folder {path}: check the path, or train one first")
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            raise InputError(f"{path} is not a complete run, {name} is missing: train it again")
    config = _read_config(path)
    try:
        gmvae, encoding, about = read_model(path / WEIGHTS, config)
    except ValueError as error:
        raise InputError(f"{path} does not fit together ({cut(error)}): train it again") from error
    history = _read_metrics(path / METRICS)
    return FittedModel(gmvae.eval(), encoding, about, history).to(where)


def _read_config(path: Path) -> dict[str, Any]:
    """Read the configuration of a run in any version that this program knows."""
    try:
        config = parse_json(read_bytes(path / CONFIG))
        if not isinstance(config, dict) or "format" not in config:
            raise DamagedError("it is not that of a run")
    except DamagedError as error:
        raise InputError(f"{path / CONFIG} is damaged ({error}): train the run again") from error
    version = config.get("version")
    if config["format"] != FORMAT or type(version) is not int or version not in (1, VERSION):
        raise InputError(
            f"{path} is of version {shortened(version)}, this program reads version {VERSION}: "
            "use the matching release, or train it again"
        )
    return config


def write_training(folder: Path, settings: Settings, fingerprint: str) -> None:
    """Keep the settings of a training and the fingerprint of its rows in a run folder."""
    content = {
        "version": VERSION,
        "settings": settings.to_dict(),
        "train_sha256": fingerprint,
    }
    with written_whole(folder / TRAINING) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def read_training(folder: Path) -> tuple[Settings, str]:
    """Read what `write_training` kept: the settings and the fingerprint.

    Raises:
        InputError: if there is nothing, or it is damaged or of another version.
    """
    path = folder / TRAINING
    if not path.is_file():
        raise InputError(f"there is no training to resume in {folder}: train it without --resume")
    try:
        content = parse_json(read_bytes(path))
        version = content.get("version") if isinstance(content, dict) else None
        if type(version) is not int or version == VERSION:
            content = typed(_Training, content, "it")
    except DamagedError as error:
        raise InputError(f"{path} is damaged ({error}): train again with --overwrite") from error
    if version != VERSION:
        raise InputError(
            f"{path} is of version {version}, this program reads version {VERSION}: "
            "use the matching release, or train again with --overwrite"
        )
    try:
        return Settings.from_dict(content.settings), content.train_sha256
    except InputError as error:
        raise InputError(f"{path}: {error} with --overwrite") from error


@dataclass(frozen=True)
class _Training:
    """Hold what the file of a training keeps."""

    version: Literal[2]
    settings: dict[str, Any]
    train_sha256: str


def _read_metrics(path: Path) -> list[Record]:
    """Read the history, which is empty where its file is missing or damaged."""
    if not path.is_file():
        return []
    try:
        return _parsed_metrics(read_bytes(path, MOST_METRICS))
    except ValueError as error:
        warnings.warn(  # the model itself is whole
            f"{path} is damaged ({error}), so the history of the model is empty: delete the file",
            RuntimeWarning,
            stacklevel=3,
        )
        return []


def _parsed_metrics(content: bytes) -> list[Record]:
    try:
        names, *rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        cells = [dict(zip(names, row, strict=True)) for row in rows if row]
        # Cells are empty where an epoch did not have the figure.
        return [{name: float(cell) for name, cell in row.items() if cell} for row in cells]
    except (csv.Error, ValueError) as error:  # no table, no UTF-8, no numbers, or too few
        raise DamagedError("it is no table of numbers") from error


def _is_run(path: Path) -> bool:
    # Even a truncated configuration names its format. A folder of another program is not deleted.
    config = path / CONFIG
    ours = config.is_file() and FORMAT.encode() in config.read_bytes()
    return ours or (path / TRAINING).is_file() or checkpoint_path(path).is_file()
