"""Train a source into a run folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyro_gmvae.data import Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.runs import Run, checkpoint_path, open_run_folder, save_run
from pyro_gmvae.tasks.data import digest, own_splits
from pyro_gmvae.tasks.pictures import draw_clusters, draw_history, draw_reconstructions
from pyro_gmvae.tasks.settings import TrainSettings, read_settings, write_settings
from pyro_gmvae.tasks.start import fitted, prepare, started
from pyro_gmvae.training import (
    ClusterWatch,
    MetricsCSV,
    NonFiniteLossError,
    Reporter,
    Tracker,
    TrainingInterrupted,
    TrainResult,
)
from pyro_gmvae.training.device import make_accelerator

__all__ = ["Trained", "train_run"]


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        run: the model and what belongs to it, as saved.
        splits: the data in their parts.
        result: how the training went.
        is_main: whether this is the process that writes and speaks; there are others only under
            torchrun or ``accelerate launch``.
    """

    run: Run
    splits: Splits
    result: TrainResult
    is_main: bool


def train_run(
    settings: TrainSettings,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    resume: bool = False,
    download: bool = False,
    reporters: Sequence[Reporter] = (),
) -> Trained:
    """Train with early stopping on the validation rows; write the run and its pictures.

    All that can be refused is refused before the folder is touched.

    Raises:
        InputError: for settings, data or a folder that cannot be used. After another error the
            folder stays if there is a checkpoint to resume from.
        NonFiniteLossError: if the loss becomes NaN or infinite; the run is saved with the last good
            weights.
        TrainingInterrupted: after a signal, with the state saved.
    """
    accelerator = make_accelerator(settings.device)
    is_main = accelerator.is_main_process
    if settings.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise InputError("TensorBoard is not installed: pip install 'pyro-gmvae[tensorboard]'")
    splits = own_splits(settings, download=download)
    prepared = prepare(settings, splits)
    gmvae, preprocessor = prepared.gmvae, prepared.preprocessor

    path, fingerprint = Path(folder), digest(splits.train)
    if resume and read_settings(path)[1] != fingerprint:
        raise InputError(
            f"{settings.data} has changed since the training in {path} was begun: train another "
            "run, or --overwrite this one"
        )
    existed = path.exists()
    if is_main:
        open_run_folder(path, overwrite=overwrite, resume=resume)
        if not resume:
            write_settings(path, settings, fingerprint)
        reporters = [MetricsCSV(path / "metrics.csv"), *reporters]
        if settings.tensorboard:
            reporters.append(_tensorboard(path))
    began = time.monotonic()
    preprocessor.to(accelerator.device)
    # A training killed before its first checkpoint begins anew, to the same end.
    begun = resume and checkpoint_path(path).is_file()
    try:
        if not begun:
            gmvae = started(prepared, settings, splits, reporters)
        result = fitted(
            prepared,
            gmvae,
            splits,
            checkpoint=checkpoint_path(path),
            resume=begun,
            reporters=[*reporters, ClusterWatch(gmvae)],
        )
    except TrainingInterrupted:
        if is_main:
            write_settings(path, settings, fingerprint)  # of a resumed one they may be new
        raise
    except NonFiniteLossError:
        if is_main:
            details = _details(settings, splits) | {"stopped": "non-finite loss"}
            save_run(path, Run(gmvae.cpu(), preprocessor.cpu(), details))
        raise
    except Exception as error:
        if checkpoint_path(path).is_file():
            error.add_note(f"The training up to its last checkpoint is in {path}: resume it.")
        elif is_main and not resume:
            shutil.rmtree(path, ignore_errors=True)
            if existed:
                path.mkdir()
        raise
    details = _details(settings, splits) | {
        "stopped": result.stopped,
        "best_epoch": result.best_epoch,
        "n_steps": result.n_steps,
        "seconds": round(time.monotonic() - began, 1),
    }
    run = Run(gmvae, preprocessor, details)
    if is_main:
        save_run(path, run)
        write_settings(path, settings, fingerprint)
        draw_clusters(run, splits.train, path / "clusters.png")
        draw_history(result.history, path / "history.png")
        if splits.train.kind == "image":
            shown = splits.test if len(splits.test) else splits.train
            draw_reconstructions(run, shown, path / "reconstructions.png")
    return Trained(run, splits, result, is_main)


def _details(settings: TrainSettings, splits: Splits) -> dict[str, Any]:
    train = splits.train
    return {
        "name": train.name,
        "settings": asdict(settings),
        "train_sha256": digest(train),
        "feature_names": list(train.feature_names) if train.feature_names else None,
        "class_names": list(train.class_names) if train.class_names else None,
    }


def _tensorboard(folder: Path) -> Tracker:
    from accelerate.tracking import TensorBoardTracker

    return Tracker(TensorBoardTracker("tensorboard", folder))
