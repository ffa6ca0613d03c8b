"""List the public doors by which files come in, each with the files that it reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pyro_gmvae import data, runs
from pyro_gmvae.estimator import GMVAE
from pyro_gmvae.run_data import load_new_rows, load_run_rows
from pyro_gmvae_cli.main import main

__all__ = ["Door", "doors"]

OF_RUN = ("run/config.json", "run/weights.safetensors", "run/metrics.csv")
TABLES = ("x.npy", "x.npz", "x.csv", "x.parquet")
PHOTOS = ("photos/a/0.png", "photos/a/1.jpg")
CHECKPOINT = "run/checkpoint/state.safetensors"


@dataclass(frozen=True)
class Door:
    """Describe one way in.

    Attributes:
        name: what it is called in the table.
        reads: the files whose damage it is tried on.
        work: takes the folder of a case and the damaged file, and returns a digest of its answer.
        writes: paths that it may change where it accepts the file.
        alone: whether it refuses a run folder that holds a file of the user's.
    """

    name: str
    reads: tuple[str, ...]
    work: Callable[[Path, str], Any]
    writes: tuple[str, ...] = ()
    alone: bool = False


def digest(*values: Any) -> str:
    """Return a digest of numbers and plain values."""
    text = [v.tolist() if isinstance(v, torch.Tensor) else v for v in values]
    return hashlib.sha256(json.dumps(text, default=str).encode()).hexdigest()


def doors() -> list[Door]:
    """List the doors; commands among them are run as a user runs them."""
    return [
        Door("runs.load", OF_RUN, _load),
        Door("GMVAE.load", OF_RUN, _estimator),
        Door("load_run_rows", OF_RUN[:1], _own_rows),
        Door("data.load", (*TABLES, *PHOTOS), _data),
        Door("load_new_rows", TABLES, _new_rows),
        Door("load_splits", ("labels.csv", "groups.csv"), _known),
        Door("predict", (*OF_RUN, *TABLES), _predict, ("answers.csv",)),
        Door("evaluate", OF_RUN[:1], _evaluate),
        Door("train --resume", ("run/train.json", CHECKPOINT, OF_RUN[2]), _resume, ("run/",)),
        Door("GMVAE.save", OF_RUN[:1], _save, ("run/",), alone=True),
    ]


ROWS = torch.tensor([[0.0, 0.0], [8.0, 200.0], [16.0, 400.0]])


def _load(folder: Path, changed: str) -> str:
    fitted = runs.load(folder / "run")
    return digest(fitted.responsibilities(ROWS), fitted.about.to_dict(), fitted.history)


def _estimator(folder: Path, changed: str) -> str:
    model = GMVAE.load(folder / "run")
    return digest(model.predict_proba(ROWS.numpy()).tolist(), model.get_params())


def _own_rows(folder: Path, changed: str) -> str:
    rows = load_run_rows(runs.load(folder / "run"), "all")
    return digest(rows.fingerprint())


def _data(folder: Path, changed: str) -> str:
    source = folder / ("photos" if changed in PHOTOS else changed)
    labels = "kind" if source.suffix in (".csv", ".parquet") else None
    return data.load(str(source), label_column=labels).fingerprint()


def _new_rows(folder: Path, changed: str) -> str:
    rows = load_new_rows(runs.load(folder / "run"), str(folder / changed))
    return rows.fingerprint()


def _known(folder: Path, changed: str) -> str:
    option = {"labels.csv": "labels", "groups.csv": "must_link"}[changed]
    splits = data.load_splits(str(folder / "x.npy"), seed=0, **{option: folder / changed})
    known = splits.train.labels if option == "labels" else splits.train.must_link
    return digest(splits.train.fingerprint(), known)


def _command(*arguments: object) -> None:
    """Run ``pyro-gmvae``; a code other than 0 ends the process."""
    try:
        main([str(a) for a in arguments], prog_name="pyro-gmvae")
    except SystemExit as error:
        if error.code:
            raise


def _predict(folder: Path, changed: str) -> str:
    source = folder / (changed if changed in TABLES else "x.npy")
    _command("predict", folder / "run", source, "-o", folder / "answers.csv", "--quiet")
    return digest((folder / "answers.csv").read_text())


def _evaluate(folder: Path, changed: str) -> str:
    _command("evaluate", folder / "run", "--json")
    return "evaluated"


def _resume(folder: Path, changed: str) -> str:
    source = folder.parent / "blobs.csv"
    _command("train", source, "--out", folder / "run", "--resume", "--epochs", 3, "--quiet")
    return digest(json.loads((folder / "run/config.json").read_text())["weights_sha256"])


def _save(folder: Path, changed: str) -> str:
    GMVAE.load(folder.parent / "sound" / "run").save(folder / "run", overwrite=True)
    return digest(json.loads((folder / "run/config.json").read_text())["weights_sha256"])
