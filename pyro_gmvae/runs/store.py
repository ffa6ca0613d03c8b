"""Keep a fitted model as a run folder: files that are data, not code."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.files.locks import holder
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.models import to_config
from pyro_gmvae.process.alone import alone
from pyro_gmvae.runs.calibration import CalibrationForm
from pyro_gmvae.runs.card import write_card
from pyro_gmvae.runs.contents import (
    CARD,
    CONFIG,
    FORMAT,
    METRICS,
    NEW_WEIGHTS,
    TRAINING,
    WEIGHTS,
)
from pyro_gmvae.runs.folder import clear
from pyro_gmvae.runs.model import check_numbers, read_model, sha256_of, tensors_of
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

__all__ = ["load", "read_training", "replace_run", "save_run", "write_training"]

VERSION = 2
MOST_METRICS = 2**28  # bytes: a million epochs


@alone
def save_run(folder: str | os.PathLike[str], fitted: FittedModel) -> None:
    """Write ``fitted`` into ``folder``, in place of the model that is there.

    The files are those of `pyro_gmvae.runs.contents`. The folder holds the former model until the
    configuration is replaced, and from then on the new one, whenever the process is killed. A
    README.md that is no model card of ours stays as it is.

    Raises:
        InputError: if a weight is NaN or infinite, or there is too much to tell of the training.
        ValueError: if the model cannot be rebuilt from a file (see `pyro_gmvae.models.to_config`).

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['README.md', 'config.json', 'weights.safetensors']
    """
    path = Path(folder)
    model, calibration = to_config(fitted.gmvae), fitted.calibration
    form = None if calibration is None else CalibrationForm.of(calibration)
    tensors = tensors_of(fitted.gmvae, fitted.encoding, calibration)
    try:
        check_numbers(tensors)
    except DamagedError as error:
        raise InputError(f"the model cannot be saved ({error}): train it again") from error
    weights = save({name: t.detach().cpu().clone() for name, t in tensors.items()})
    digest = hashlib.sha256(weights).hexdigest()
    config = {
        "format": FORMAT,
        "version": VERSION,
        "model": model,
        "dtype": str(next(fitted.gmvae.parameters()).dtype).removeprefix("torch."),
        "encoding": fitted.encoding.to_config(),
        "about": fitted.about.to_dict(),
        "calibration": None if form is None else form.to_config(),
        **({} if fitted.covariates is None else {"covariates": fitted.covariates.to_config()}),
        "weights_sha256": digest,
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
    for name, content in {NEW_WEIGHTS: weights, CONFIG: text.encode()}.items():
        with written_whole(path / name) as partial:
            partial.write_bytes(content)
    os.replace(path / NEW_WEIGHTS, path / WEIGHTS)
    write_card(path, fitted, digest)


def replace_run(folder: Path, fitted: FittedModel) -> None:
    """Write ``fitted`` into a folder, and then remove what is left of the run that was there.

    Raises:
        ValueError: as `save_run`, before anything is removed.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "metrics.csv").write_text("epoch,step")  # of the run before
    ...     replace_run(Path(folder), fitted)
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['README.md', 'config.json', 'weights.safetensors']
    """
    save_run(folder, fitted)
    clear(folder, keep=(CARD, CONFIG, WEIGHTS, *([METRICS] if fitted.history else [])))


@alone
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

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     again = load(folder)
    >>> torch.equal(again.responsibilities(x), fitted.responsibilities(x))
    True
    """
    where = make_accelerator(defaults.device(device)).device
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"there is no run folder {path}: check the path, or train one first")
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            raise _unfinished(path, name)
    config = _read_config(path)
    try:
        fitted = read_model(_weights_file(path, config), config)
    except ValueError as error:
        raise InputError(f"{path} does not fit together ({cut(error)}): train it again") from error
    history = _read_metrics(path / METRICS)
    writer = holder(path)
    if writer is not None:
        warnings.warn(
            f"{path} is being trained or written by {writer}: this is the model from before",
            RuntimeWarning,
            stacklevel=2,
        )
    return replace(fitted, history=history).to(where)


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
    """Keep the settings of a training and the fingerprint of its rows in a run folder.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_training(Path(folder), Settings.of("digits", clusters=7), "0123")
    ...     settings, fingerprint = read_training(Path(folder))
    >>> settings.model.clusters, fingerprint
    (7, '0123')
    """
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

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     read_training(Path(folder))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: there is no training to resume in ...: train it without --resume
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


def _weights_file(path: Path, config: dict[str, Any]) -> Path:
    """Find the weights that the configuration names, wherever a killed save left them."""
    new = path / NEW_WEIGHTS
    if new.is_file() and sha256_of(new) == config.get("weights_sha256"):
        return new
    return path / WEIGHTS


def _unfinished(path: Path, missing: str) -> InputError:
    """Say why there is no model in a folder."""
    writer = holder(path)
    if writer is not None:
        return InputError(f"{path} is being trained by {writer}: wait until that has ended")
    if (path / TRAINING).is_file() and missing == CONFIG:
        return InputError(f"the training in {path} has not ended: continue it with --resume")
    return InputError(f"{path} is not a complete run, {missing} is missing: train it again")


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
