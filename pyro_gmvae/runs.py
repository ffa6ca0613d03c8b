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
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from torch import Tensor, nn

from pyro_gmvae.alone import alone
from pyro_gmvae.data import Encoding, encoding_from_config
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import under_prefix, with_prefix, written_whole
from pyro_gmvae.fitted import About, FittedModel
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.models import GMVAE, from_config, to_config
from pyro_gmvae.rng import forked_rng
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
_MISFITS = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RuntimeError,
    SafetensorError,
)


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


@alone
def save_run(folder: str | os.PathLike[str], fitted: FittedModel) -> None:
    """Write ``fitted`` into ``folder``, with the configuration last, so that half a run is none.

    Raises:
        ValueError: if the model cannot be rebuilt from a file (see `pyro_gmvae.models.to_config`).
    """
    path = Path(folder)
    model = to_config(fitted.gmvae)
    tensors: dict[str, Tensor] = {}
    for part, module in _parts(fitted.gmvae, fitted.encoding):
        tensors |= with_prefix(part, module.state_dict())
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
    path.mkdir(parents=True, exist_ok=True)
    if fitted.history:
        MetricsCSV(path / METRICS).start(0, fitted.history)
    for name, content in {WEIGHTS: weights, CONFIG: text.encode()}.items():
        with written_whole(path / name) as partial:
            partial.write_bytes(content)


@alone
def load(folder: str | os.PathLike[str], device: str = "cpu") -> FittedModel:
    """Read a run that a training or `GMVAE.save` wrote, in this version or in 0.1.

    Nothing is unpickled: a model from a stranger is only data.

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
    try:
        config = json.loads((path / CONFIG).read_text())
        is_run = config["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path / CONFIG} is damaged: train the run again") from error
    if not is_run or config.get("version") not in (1, VERSION):
        raise InputError(
            f"{path} is of version {config.get('version')}, this program reads version {VERSION}: "
            "use the matching release, or train it again"
        )
    content = (path / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != config.get("weights_sha256"):
        raise InputError(f"{path / WEIGHTS} is not the file that was saved: train the run again")
    try:
        tensors = load_tensors(content)
        if config["version"] == 1:
            config, tensors = _from_version_1(config, tensors)
        with forked_rng():  # initial weights are drawn, only to be replaced
            gmvae = from_config(config["model"]).to(getattr(torch, config["dtype"]))
        encoding = encoding_from_config(config["encoding"])
        about = About.from_dict(config["about"])
        for name, buffer in encoding.named_buffers():
            setattr(encoding, name, buffer.to(tensors[f"encoding/{name}"].dtype))
        for part, module in _parts(gmvae, encoding):
            module.load_state_dict(under_prefix(part, tensors))
        history = _read_metrics(path / METRICS)
    except _MISFITS as error:
        raise InputError(f"{path} does not fit together ({error}): train it again") from error
    return FittedModel(gmvae.eval(), encoding, about, history).to(where)


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
        content = json.loads(path.read_text())
        version = content["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: train again with --overwrite") from error
    if version != VERSION:
        raise InputError(
            f"{path} is of version {version}, this program reads version {VERSION}: "
            "use the matching release, or train again with --overwrite"
        )
    return Settings.from_dict(content.get("settings")), str(content.get("train_sha256"))


def _from_version_1(
    config: dict[str, Any], tensors: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Bring a run of version 0.1 to this version's form."""
    details, encoding = dict(config["details"]), dict(config["preprocessor"])
    columns = details.get("feature_names") or [None] * encoding["event_shape"][0]
    encoding["columns"] = [{"name": name, "kind": "real"} for name in columns]  # images have none
    saved = details.get("estimator", {})  # by `GMVAE.save`
    settings = details.get("settings")  # by the command
    names = ("class_names", "stopped", "best_epoch", "n_steps", "seconds", "kept_clusters")
    about = About.from_dict(
        {
            "name": details.get("name", "data"),
            "settings": Settings.from_dict(settings).to_dict()
            if settings
            else _settings_of_version_1(saved.get("parameters")),
            "fingerprint": details.get("train_sha256"),
            # Rows were held out by chance, whatever was known of them and however few.
            "known_rows": [],
            "least_validation": 1,
            **{name: details.get(name) for name in names},
        }
    )
    if attributes := saved.get("attributes"):
        about = replace(
            about,
            stopped="patience" if attributes["converged_"] else "epochs",
            lower_bound=attributes["lower_bound_"],
            estimator={name: saved["parameters"][name] for name in ("num_samples", "verbose")},
        )
    renamed = {n.replace("preprocessor/", "encoding/", 1): t for n, t in tensors.items()}
    return {**config, "encoding": encoding, "about": about.to_dict()}, renamed


# Settings that had another name in the estimator of version 0.1.
_PARAMETERS_OF_VERSION_1 = {
    "n_components": "clusters",
    "init_params": "initialization",
    "n_init": "starts",
    "max_iter": "epochs",
    "kl_annealing": "annealing_epochs",
    "random_state": "seed",
}


def _settings_of_version_1(parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Turn the parameters of an estimator of version 0.1 into settings."""
    if parameters is None:
        return None
    named = {_PARAMETERS_OF_VERSION_1.get(n, n): v for n, v in parameters.items()}
    if named["method"] != "concrete":
        named.pop("temperature")
    named["seed"] = named["seed"] or 0
    for own in ("num_samples", "verbose"):
        named.pop(own)
    return Settings.of(None, **named).to_dict()


def _read_metrics(path: Path) -> list[Record]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def _is_run(path: Path) -> bool:
    # Even a truncated configuration names its format. A folder of another program is not deleted.
    config = path / CONFIG
    ours = config.is_file() and FORMAT.encode() in config.read_bytes()
    return ours or (path / TRAINING).is_file() or checkpoint_path(path).is_file()


def _parts(gmvae: GMVAE, encoding: Encoding) -> list[tuple[str, nn.Module]]:
    return [("model", gmvae), ("encoding", encoding)]
