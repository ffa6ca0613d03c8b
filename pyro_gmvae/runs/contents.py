"""Know which files in a folder are those of a run, by their names and their content.

========================= ======================================================================
``config.json``           all that rebuilds the model, versioned, with the digest of its weights
``weights.safetensors``   the weights of the model, the numbers of its encoding, its calibration
``README.md``             the model card: what the model is, and how to load it
``report.html``           what the segments are; also ``report.md`` and ``report.json``
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

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyro_gmvae.files import is_partial
from pyro_gmvae.files.locks import LOCK_FILES
from pyro_gmvae.files.tensors import read_forms
from pyro_gmvae.stored import DamagedError, parse_json

__all__ = [
    "CARD",
    "CARD_MARK",
    "CONFIG",
    "FOLDERS",
    "FORMAT",
    "METRICS",
    "NEW_WEIGHTS",
    "REPORT",
    "REPORT_MARK",
    "SELECTION",
    "STABILITY",
    "TRAINING",
    "WEIGHTS",
    "checkpoint_path",
    "files_of",
    "is_card",
    "is_leaving",
    "why_foreign",
]

FORMAT = "pyro_gmvae.run"
CONFIG, WEIGHTS, METRICS = "config.json", "weights.safetensors", "metrics.csv"
NEW_WEIGHTS = "weights.new.safetensors"  # until the configuration names them
TRAINING = "train.json"  # written first
CARD, REPORT = "README.md", "report.html"
SELECTION, STABILITY = "selection.json", "stability.json"
# The first line of files whose names others use too.
CARD_MARK = "<!-- pyro_gmvae model card, written anew with the run -->"
REPORT_MARK = "<!-- pyro_gmvae report -->"

FOLDERS = ("checkpoint", "tensorboard")
# The first parts of the names of tensors in a run, of this version and of 0.1, and in a checkpoint.
PARTS = {"model", "encoding", "calibration", "preprocessor"}
PARTS |= {"order", "weights", "best", "optimizer", "meter", "rng"}
MOST_READ = 64 * 2**20  # bytes of a file whose content is looked at


def checkpoint_path(folder: str | os.PathLike[str]) -> Path:
    """Return the file that keeps the state of a run's training.

    >>> checkpoint_path("runs/a").as_posix()
    'runs/a/checkpoint/state.safetensors'
    """
    return Path(folder) / "checkpoint" / "state.safetensors"


def files_of(path: Path) -> Iterator[Path]:
    """List the entries of a run folder and those of its own subfolders.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("config.json", "checkpoint/state.safetensors"):
    ...         Path(folder, name).parent.mkdir(exist_ok=True)
    ...         Path(folder, name).touch()
    ...     [file.name for file in files_of(Path(folder))]
    ['state.safetensors', 'config.json']
    """
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


def is_leaving(name: str) -> bool:
    """Recognise what a killed process leaves in the folder of a run.

    >>> is_leaving(".lock"), is_leaving("config.json")
    (True, False)
    """
    own = name in LOCK_FILES or name == ".writable" or is_partial(name)
    return own or _OLD_PARTIAL.fullmatch(name) is not None


def why_foreign(path: Path, file: Path) -> str | None:
    """Say why a file is not one of a run's; None for one that is.

    Args:
        path: the folder.
        file: a file in it, or in one of its `FOLDERS`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     notes = Path(folder, "notes.txt")
    ...     notes.touch()
    ...     why_foreign(Path(folder), notes)
    'is no file of a run'
    """
    if is_leaving(file.name) and not file.is_dir():
        return None
    if file.is_dir():
        return "is a folder of something else"
    place = file.relative_to(path).as_posix()
    for pattern, holds in _OURS.items():
        if re.fullmatch(pattern, place):
            return None if holds(file) else "was not written by this program"
    return "is no file of a run"


def is_card(file: Path) -> bool:
    """Tell a model card of ours from a README that a user wrote.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     readme = Path(folder, "README.md")
    ...     _ = readme.write_text("My notes")
    ...     is_card(readme)
    False
    """
    return _read(file).startswith(CARD_MARK.encode())


def _is_report(file: Path) -> bool:
    if file.suffix == ".json":
        content = _parsed(file)
        return isinstance(content, dict) and {"segments", "confusion", "origin"} <= content.keys()
    return REPORT_MARK.encode() in _read(file)[:200]


def _read(file: Path) -> bytes:
    """Return the content of a small file, or its beginning."""
    if not file.is_file():
        return b""
    with file.open("rb") as opened:
        return opened.read(MOST_READ)


def _parsed(file: Path) -> Any:
    try:
        return parse_json(_read(file))
    except DamagedError:
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
    content = _read(file)
    return not content or content.startswith(b"epoch,step")


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


def _is_stability(file: Path) -> bool:
    content = _parsed(file)
    return isinstance(content, dict) and content.keys() == {"weights_sha256", "stability"}


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
    re.escape(CARD): is_card,
    r"report\.(html|md|json)": _is_report,
    r"tensorboard/events\.out\.tfevents\..*": _by_its_name,
    re.escape(SELECTION): _is_selection,
    re.escape(STABILITY): _is_stability,
    r"K\d+-run\d+-S\d+\.npz": _by_its_name,
}
