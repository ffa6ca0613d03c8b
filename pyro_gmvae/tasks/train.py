"""Train on a source and write a run folder."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pyro_gmvae.data import Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.train import train
from pyro_gmvae.pictures import pictures_of
from pyro_gmvae.plots import save_figure
from pyro_gmvae.report.support import support_of
from pyro_gmvae.runs import read_training, save_run, write_training
from pyro_gmvae.runs.contents import METRICS, TRAINING, checkpoint_path
from pyro_gmvae.runs.folder import clear, open_run_folder
from pyro_gmvae.segments import calibrate
from pyro_gmvae.tasks.report import own_report, report_run
from pyro_gmvae.tasks.sampling import check_sample, sample_stability
from pyro_gmvae.training import (
    MetricsCSV,
    NonFiniteLossError,
    Reporter,
    Tracker,
    TrainingInterrupted,
)
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training_data import load_settings_splits, sources_of, with_stream_chosen
from pyro_gmvae.visible import visible

__all__ = ["Trained", "train_run"]


@dataclass(frozen=True)
class Trained:
    """Hold a finished training.

    Attributes:
        fitted: the model, as saved.
        splits: the data in their parts.
        is_main: whether this is the process that writes and reports; there are others only under
            torchrun or ``accelerate launch``.
        report: the report of its segments, or None if none was written.

    >>> import torch
    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> none = data.subset(torch.arange(0))
    >>> trained = Trained(fitted, Splits(data, none, none), is_main=True)
    >>> len(trained.splits.train), trained.report
    (20, None)
    """

    fitted: FittedModel
    splits: Splits
    is_main: bool
    report: Path | None = None


def train_run(
    settings: Settings,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    resume: bool = False,
    download: bool = False,
    report: bool | None = None,
    reporters: Sequence[Reporter] = (),
    on_data: Callable[[Splits], None] | None = None,
) -> Trained:
    """Train with early stopping on the validation rows; write the run and its pictures.

    Settings and data are checked before the folder is touched. ``on_data`` gets the data when all
    is checked, before the long work. ``report`` says whether a report of the segments is written;
    None writes one for tables. A report that fails is a warning, and the run is there.

    Raises:
        InputError: for settings, data or a folder that cannot be used. After another error the
            folder stays if there is a checkpoint to resume from, or an epoch was recorded.
        NonFiniteLossError: if the loss becomes NaN or infinite; the run is saved with the last good
            weights.
        TrainingInterrupted: after a signal, with the state saved.

    Processes that torchrun starts anew, after one of them was lost, resume the run.

    >>> train_run(Settings.of("digits", clusters=5, sample=10), "runs/a")  # nothing is written
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: a sample of 10 rows is too small for 5 clusters...
    """
    if settings.training.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise InputError("TensorBoard is not installed: pip install 'pyro-gmvae[tensorboard]'")
    check_sample(settings)
    resume = resume or _restarted(folder, overwrite)
    if not resume:
        settings = with_stream_chosen(settings)
    splits = load_settings_splits(settings, download=download)
    planned = plan(settings, splits)
    is_main = make_accelerator(planned.config.device or "cpu").is_main_process
    writer = _Writer(Path(folder), settings, planned)
    if resume:
        writer.check_same_rows()
    with ExitStack() as stack:
        if is_main:
            held = open_run_folder(
                folder, overwrite=overwrite, resume=resume, sources=sources_of(settings)
            )
            stack.enter_context(held)
            if on_data is not None:
                on_data(splits)
            stack.enter_context(writer.leaving_well(resume=resume))
            reporters = writer.begin(overwrite=overwrite, resume=resume, reporters=reporters)
        fitted = train(planned, checkpoint=writer.checkpoint, resume=resume, reporters=reporters)
        written = None
        if settings.data.sample is not None:
            found = sample_stability(fitted.to(planned.config.device or "cpu"), settings, splits)
            fitted = replace(fitted, about=replace(fitted.about, sample=found))
        if is_main:
            on_device = fitted.to(planned.config.device or "cpu")
            fitted = replace(fitted, calibration=calibrate(on_device, planned.splits))
            writer.save(fitted)
            if report or (report is None and fitted.encoding.schema is not None):
                written = writer.report(fitted)
    return Trained(fitted, splits, is_main, written)


def _restarted(folder: str | os.PathLike[str], overwrite: bool) -> bool:
    """Return True if torchrun started the processes anew, and the run was begun before.

    Raises:
        InputError: for a run that is to be overwritten, for it could not be told from the new one.
    """
    if overwrite and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
        raise InputError(
            "a training that torchrun may restart cannot overwrite a run: name a new folder"
        )
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    return again and Path(folder, TRAINING).is_file()


class _Writer:
    """Write the files of a training into its folder; only the main process writes."""

    def __init__(self, path: Path, settings: Settings, planned: Plan) -> None:
        self.path = path
        self.settings = settings
        self.planned = planned
        self.checkpoint = checkpoint_path(path)

    @property
    def fingerprint(self) -> str:
        return str(self.planned.about.fingerprint)

    def check_same_rows(self) -> None:
        """Refuse to resume on data that have changed."""
        if read_training(self.path)[1] != self.fingerprint:
            raise InputError(
                f"{self.settings.source} has changed since the training in {self.path} was begun: "
                "train another run, or --overwrite this one"
            )

    def begin(
        self, *, overwrite: bool, resume: bool, reporters: Sequence[Reporter]
    ) -> list[Reporter]:
        """Write the settings, and return the reporters with those that write into the folder."""
        if overwrite:
            clear(self.path)
        if not resume:
            write_training(self.path, self.settings, self.fingerprint)
        own: list[Reporter] = [MetricsCSV(self.path / METRICS), *reporters]
        if self.settings.training.tensorboard:
            own.append(_tensorboard(self.path))
        return own

    def save(self, fitted: FittedModel) -> None:
        """Write the run and its pictures."""
        save_run(self.path, fitted)
        write_training(self.path, self.settings, self.fingerprint)
        for name, figure in pictures_of(fitted, self.planned.splits).items():
            with written_whole(self.path / f"{name}.png") as partial:
                save_figure(figure, partial)

    def report(self, fitted: FittedModel) -> Path | None:
        """Write the report of the segments, by the training rows; warn if that fails."""
        try:
            path = own_report(self.path)
            report_run(
                fitted,
                self.planned.splits.train,
                path,
                support=support_of(self.path, fitted),
                run=str(self.path),
            )
        except Exception as error:  # hours of training are not lost for a page
            warnings.warn(
                f"no report was written ({visible(str(error))}); the run is in {self.path}",
                RuntimeWarning,
                stacklevel=3,
            )
            return None
        return path

    @contextmanager
    def leaving_well(self, *, resume: bool) -> Iterator[None]:
        """Keep what can be used of a training that ends by an error."""
        try:
            yield
        except NonFiniteLossError as error:
            if error.fitted is not None:
                save_run(self.path, error.fitted)
            raise
        except TrainingInterrupted:
            # A resumed training may have new settings.
            write_training(self.path, self.settings, self.fingerprint)
            raise
        except BaseException as error:
            if self.checkpoint.is_file():
                error.add_note(
                    f"The training up to its last checkpoint is in {self.path}: resume it."
                )
            elif not resume and not (self.path / METRICS).is_file():
                with suppress(InputError):  # the disk may have failed
                    clear(self.path)
            raise


def _tensorboard(folder: Path) -> Tracker:
    from accelerate.tracking import TensorBoardTracker

    return Tracker(TensorBoardTracker("tensorboard", folder))
