"""Keep how stable the clusters of a run are, and find what a selection said of their number."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import ClusterStability
from pyro_gmvae.files import written_whole
from pyro_gmvae.runs.contents import CONFIG, SELECTION, STABILITY
from pyro_gmvae.runs.store import read_training
from pyro_gmvae.stored import DamagedError, parse_json, read_bytes, typed

__all__ = [
    "FoundNumber",
    "FoundStability",
    "Recurrence",
    "Tried",
    "read_selection",
    "read_stability",
    "rows_of",
    "selection_beside",
    "write_stability",
]

MOST_FOLDERS = 1_000  # beside a run that are looked into


@dataclass(frozen=True)
class Recurrence:
    """Hold how well a cluster is found again when other rows are trained on.

    Attributes:
        cluster: its number.
        size: the number of its rows, or the sum of their weights.
        jaccard: the mean Jaccard index with the most similar cluster of each resample.
        least: the least of these.
        verdict: ``"stable"``, ``"doubtful"`` or ``"unstable"``.

    >>> Recurrence(0, 50, 0.9, 0.8, "stable").verdict
    'stable'
    """

    cluster: int
    size: float
    jaccard: float
    least: float
    verdict: str


@dataclass(frozen=True)
class FoundStability:
    """Hold what `pyro_gmvae.evaluation.ClusterStability.to_dict` gives.

    >>> FoundStability(90, 2, 0.9, 0.8, (1.0, 0.8), ()).resamples
    2
    """

    n: int
    resamples: int
    mean_ari: float
    min_ari: float
    ari: tuple[float, ...]
    clusters: tuple[Recurrence, ...]


@dataclass(frozen=True)
class Tried:
    """Hold a number of clusters that was tried: see `pyro_gmvae.evaluation.Candidate`.

    >>> Tried(3, 2, -1.0, 0.1, 0.0, 0.1, 2.5, 0.2, 0.9, 3.0).found_again
    2.5
    """

    clusters: int
    runs: int
    log_likelihood: float
    log_likelihood_se: float
    behind: float
    behind_se: float
    found_again: float
    found_again_se: float
    ari: float
    in_use: float


@dataclass(frozen=True)
class FoundNumber:
    """Hold the recommendation of ``pyro-gmvae select``.

    Attributes:
        data: what the rows are called.
        runs: trainings with each number of clusters.
        samples: importance samples of each log-likelihood.
        n_clusters: the number that is recommended.
        sure: whether there is no doubt.
        doubts: sentences with reasons for doubt.
        candidates: the numbers that were tried.

    >>> FoundNumber("customers", 3, 100, 4, True, (), ()).n_clusters
    4
    """

    data: str
    runs: int
    samples: int
    n_clusters: int
    sure: bool
    doubts: tuple[str, ...]
    candidates: tuple[Tried, ...]


def write_stability(folder: str | os.PathLike[str], found: ClusterStability) -> Path:
    """Keep the stability of the clusters of the model that is in a run folder.

    Returns:
        The file.

    Raises:
        InputError: if it cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.fitted import FittedModel
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> from pyro_gmvae.evaluation import cluster_stability
    >>> from pyro_gmvae.runs import save_run
    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     write_stability(folder, cluster_stability(labels, [labels], n_clusters=2)).name
    'stability.json'
    """
    path = Path(folder, STABILITY)
    content = {"weights_sha256": _weights(Path(folder)), "stability": found.to_dict()}
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")
    return path


def read_stability(folder: str | os.PathLike[str]) -> FoundStability | None:
    """Read what `write_stability` kept; None if there is nothing, or it is of another model.

    Raises:
        InputError: if the file is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.fitted import FittedModel
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> from pyro_gmvae.evaluation import cluster_stability
    >>> from pyro_gmvae.runs import save_run
    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     _ = write_stability(folder, cluster_stability(labels, [labels], n_clusters=2))
    ...     [each.verdict for each in read_stability(folder).clusters]
    ['stable', 'stable']
    """
    path = Path(folder, STABILITY)
    if not path.is_file():
        return None
    try:
        content = typed(_Kept, parse_json(read_bytes(path)), "it")
    except DamagedError as error:
        raise InputError(f"{path} is damaged ({error}): delete it") from error
    return content.stability if content.weights_sha256 == _weights(Path(folder)) else None


def read_selection(folder: str | os.PathLike[str]) -> FoundNumber:
    """Read the recommendation in the folder of a selection.

    Raises:
        InputError: if there is none, or it is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     read_selection(folder)
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: there is no selection in ...: name the folder that `pyro-gmvae...
    """
    path = Path(folder, SELECTION)
    if not path.is_file():
        raise InputError(
            f"there is no selection in {os.fspath(folder)}: name the folder that `pyro-gmvae "
            "select` wrote, once it is finished"
        )
    try:
        found: FoundNumber = typed(FoundNumber, parse_json(read_bytes(path)), "it")
    except DamagedError as error:
        raise InputError(f"{path} is damaged ({error}): delete it, and select again") from error
    return found


def selection_beside(run: str | os.PathLike[str], fingerprint: str | None) -> Path | None:
    """Find a selection of the same training rows in a folder beside a run, the newest one.

    Args:
        run: the folder of the run.
        fingerprint: the digest of its training rows.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     selection_beside(Path(folder, "run"), "0" * 64) is None  # there is none
    True
    """
    if fingerprint is None:
        return None
    try:
        folders = sorted(Path(os.path.realpath(run)).parent.iterdir())[:MOST_FOLDERS]
        finished = [f for f in folders if (f / SELECTION).is_file()]
        newest_first = sorted(finished, key=lambda f: -(f / SELECTION).stat().st_mtime)
    except OSError:  # the folder may not be listed, and nothing was asked for
        return None
    return next((f for f in newest_first if rows_of(f) == fingerprint), None)


def rows_of(folder: str | os.PathLike[str]) -> str | None:
    """Return the digest of the rows that a selection was made with; None if it is not known.

    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> from pyro_gmvae.runs import write_training
    >>> with TemporaryDirectory() as folder:
    ...     write_training(Path(folder), Settings.of("digits"), "0123")
    ...     rows_of(folder)
    '0123'
    """
    try:
        return read_training(Path(folder))[1]
    except InputError:  # it is another program's, or of another version
        return None


@dataclass(frozen=True)
class _Kept:
    """Hold what the file of the stability keeps."""

    weights_sha256: str
    stability: FoundStability


def _weights(folder: Path) -> str:
    config: Any = parse_json(read_bytes(folder / CONFIG))
    return str(config.get("weights_sha256"))  # a run of 0.1 has none
