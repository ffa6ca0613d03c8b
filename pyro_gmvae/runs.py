"""The run folder: a trained model as files that are data, not code.

========================= ======================================================================
``config.json``           all that rebuilds the model, versioned, with the digest of its weights
``weights.safetensors``   the weights of the model and the numbers of its preprocessing
``train.json``            the settings that a training was begun with
``metrics.csv``           one row per epoch
``clusters.png``          who is in each cluster
``history.png``           how the training went
``reconstructions.png``   images beside what the model makes of them
``checkpoint/``           the training's state, for resuming
========================= ======================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from pyro_gmvae.data import Preprocessor
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.models import GMVAE, from_config, to_config
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training.checkpoint import under_prefix, with_prefix

__all__ = ["Run", "checkpoint_path", "load_run", "open_run_folder", "save_run"]

FORMAT = "pyro_gmvae.run"
VERSION = 1
CONFIG, WEIGHTS = "config.json", "weights.safetensors"
SETTINGS = "train.json"  # written first, by `pyro_gmvae.tasks`
_MISFITS = (KeyError, TypeError, ValueError, AttributeError, RuntimeError, SafetensorError)


@dataclass(frozen=True)
class Run:
    """A trained model with what belongs to it.

    Attributes:
        gmvae: the model, in evaluation mode, on the CPU.
        preprocessor: from raw data to the model's scale.
        details: further plain JSON values: where the data came from, names of features.
    """

    gmvae: GMVAE
    preprocessor: Preprocessor
    details: dict[str, Any] = field(default_factory=dict)


def checkpoint_path(folder: str | os.PathLike[str]) -> Path:
    """Where a run keeps its training's state."""
    return Path(folder) / "checkpoint" / "state.safetensors"


def open_run_folder(
    folder: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False
) -> Path:
    """Make ready the folder of a run: new and empty, or as it was if it is to be resumed.

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


def save_run(folder: str | os.PathLike[str], run: Run) -> None:
    """Write ``run`` into ``folder``; the configuration last, so that half a run is none.

    Raises:
        ValueError: if the model cannot be rebuilt from a file (see `pyro_gmvae.models.to_config`).
    """
    path = Path(folder)
    model = to_config(run.gmvae)
    tensors: dict[str, Tensor] = {}
    for part, module in _parts(run.gmvae, run.preprocessor):
        tensors |= with_prefix(part, module.state_dict())
    weights = save({name: t.detach().cpu().clone() for name, t in tensors.items()})
    config = {
        "format": FORMAT,
        "version": VERSION,
        "model": model,
        "dtype": str(next(run.gmvae.parameters()).dtype).removeprefix("torch."),
        "preprocessor": run.preprocessor.to_config(),
        "details": run.details,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(config, indent=2) + "\n"
    path.mkdir(parents=True, exist_ok=True)
    for name, content in {WEIGHTS: weights, CONFIG: text.encode()}.items():
        with written_whole(path / name) as partial:
            partial.write_bytes(content)


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Read what `save_run` wrote. Nothing is unpickled: a model from a stranger is only data.

    Raises:
        InputError: if there is no run, it is truncated or of another version, or its weights are
            not those it was saved with.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"there is no run folder {path}: check the path, or train one first")
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            raise InputError(f"{path} is not a complete run, {name} is missing: train it again")
    try:
        config = json.loads((path / CONFIG).read_text())
        is_run = config["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path / CONFIG} is damaged: train the run again") from error
    if not is_run or config.get("version") != VERSION:
        raise InputError(
            f"{path} is of version {config.get('version')}, this program reads version {VERSION}: "
            "use the matching release, or train it again"
        )
    content = (path / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != config.get("weights_sha256"):
        raise InputError(f"{path / WEIGHTS} is not the file that was saved: train the run again")
    try:
        with forked_rng():  # initial weights are drawn, only to be replaced
            gmvae = from_config(config["model"]).to(getattr(torch, config["dtype"]))
        preprocessor = Preprocessor.from_config(config["preprocessor"])
        details = dict(config["details"])
        tensors = load(content)
        for name, buffer in preprocessor.named_buffers():
            setattr(preprocessor, name, buffer.to(tensors[f"preprocessor/{name}"].dtype))
        for part, module in _parts(gmvae, preprocessor):
            module.load_state_dict(under_prefix(part, tensors))
    except _MISFITS as error:
        raise InputError(f"{path} does not fit together ({error}): train it again") from error
    return Run(gmvae.eval(), preprocessor, details)


def _is_run(path: Path) -> bool:
    # Even a truncated configuration of ours says so; one of another program is not ours to delete.
    config = path / CONFIG
    ours = config.is_file() and FORMAT.encode() in config.read_bytes()
    return ours or (path / SETTINGS).is_file() or checkpoint_path(path).is_file()


def _parts(gmvae: GMVAE, preprocessor: Preprocessor) -> list[tuple[str, nn.Module]]:
    return [("model", gmvae), ("preprocessor", preprocessor)]
