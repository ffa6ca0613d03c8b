"""The data that belong to a run: its own parts, and others that must fit its model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data import Dataset, Preprocessor, Splits, load, load_splits
from pyro_gmvae.data.sources import is_folder
from pyro_gmvae.data.tables import TABLE_SUFFIXES, MissingLabelColumn
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import responsibilities
from pyro_gmvae.models import GMVAE
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks.settings import TrainSettings

__all__ = [
    "Part",
    "cluster_input",
    "data_for",
    "data_for_each",
    "digest",
    "own_data",
    "own_splits",
    "row_responsibilities",
    "settings_of",
    "splits_of",
    "with_share",
]

Part = Literal["test", "train", "validation", "all"]


def own_splits(settings: TrainSettings, *, download: bool = False) -> Splits:
    """The training, validation and test rows that ``settings`` mean.

    Raises:
        InputError: as `pyro_gmvae.data.load_splits`.
    """
    return load_splits(
        settings.data,
        seed=settings.seed,
        validation_fraction=settings.validation_fraction,
        test_fraction=settings.test_fraction,
        data_dir=settings.data_dir,
        download=download,
        label_column=settings.label_column,
        image_size=settings.image_size,
        labels=settings.labels,
        must_link=settings.must_link,
    )


def own_data(
    run: Run, part: Part = "test", *, data_dir: str | None = None, download: bool = False
) -> Dataset:
    """A part of the data that ``run`` was made from, or all of them in the order of the source.

    Raises:
        InputError: if the run does not know them, they have changed since, or the part is empty.
    """
    splits = splits_of(run, data_dir=data_dir, download=download)
    data: Dataset = _whole(splits) if part == "all" else getattr(splits, part)
    if len(data) == 0:
        raise InputError(f"the run kept no rows for {part}: choose another split")
    return data


def splits_of(
    run: Run, *, data_dir: str | None = None, download: bool = False, known: bool = False
) -> Splits:
    """The parts of the data that ``run`` was made from; if so, with what was known of some rows.

    Raises:
        InputError: if the run does not know them, or they have changed since.
    """
    settings = settings_of(run)
    if not known:
        settings = replace(settings, labels=None, must_link=None)  # their files may be gone
    if data_dir is not None:
        settings = replace(settings, data_dir=data_dir)
    splits = own_splits(settings, download=download)
    # Else rows that were trained on might be counted as held out.
    if digest(splits.train) != run.details.get("train_sha256"):
        raise InputError(
            f"{settings.data} has changed since the run was trained, so its held-out rows are "
            "unknown: name the data to use, or train again"
        )
    return splits


def _whole(splits: Splits) -> Dataset:
    """The rows of all parts, in the order of the source; without known clusters."""
    parts = (splits.train, splits.validation, splits.test)
    labels = [p.y for p in parts if p.y is not None]
    x, y = torch.cat([p.x for p in parts]), torch.cat(labels) if labels else None
    names = tuple(chain.from_iterable(p.row_names or () for p in parts)) or None
    places = torch.cat([p.places for p in parts if p.places is not None])
    joined = replace(
        splits.train, x=x, y=y, row_names=names, given=None, groups=None, places=places
    )
    return joined.subset(places.argsort())


def settings_of(run: Run) -> TrainSettings:
    """How ``run`` was trained.

    Raises:
        InputError: if it was not trained from a named source.
    """
    if "settings" not in run.details:
        raise InputError("this run was not trained from a named source: name the data to use")
    return TrainSettings.from_dict(run.details["settings"])


def data_for(
    run: Run,
    source: str,
    *,
    data_dir: str | None = None,
    download: bool = False,
    image_size: int | None = None,
) -> Dataset:
    """All rows of another source, which must be as the model knows them.

    A table's columns are brought into the model's order; the label column may be missing. The
    images of a folder are brought to ``image_size``, if None to that of training. Grey images are
    as good as colour ones to a model of colour.

    Raises:
        InputError: for a source that cannot be read or is of another width or other columns.
    """
    way = _way(run, source, data_dir, image_size)
    return _as_known(run, _read(source, *way, download=download))


def data_for_each(
    runs: Sequence[Run],
    source: str | None,
    *,
    data_dir: str | None = None,
    download: bool = False,
    image_size: int | None = None,
) -> list[Dataset]:
    """The same rows as each of ``runs`` knows them; None as the source is all data of the first.

    They are read once, and again only for a run that was trained with another label column, image
    size or folder of data.

    Raises:
        InputError: as `data_for`, and for data of the first run that have changed since.
    """
    read = {}
    if source is None:
        settings = settings_of(runs[0])
        source, data_dir = settings.data, data_dir or settings.data_dir
        own = own_data(runs[0], "all", data_dir=data_dir, download=download)
        read[_way(runs[0], source, data_dir, image_size)] = own
    found = []
    for run in runs:
        way = _way(run, source, data_dir, image_size)
        if way not in read:
            read[way] = _read(source, *way, download=download)
        found.append(_as_known(run, read[way]))
    return found


def _way(
    run: Run, source: str, data_dir: str | None, image_size: int | None
) -> tuple[str, str | None, int | None]:
    """Folder of data, label column and image size that ``source`` is to be read with."""
    stored = run.details.get("settings", {})
    is_table = Path(source).suffix.lower() in TABLE_SUFFIXES
    label_column = stored.get("label_column") if is_table else None
    if image_size is None and is_folder(source):
        image_size = stored.get("image_size")
    return data_dir or stored.get("data_dir", "data"), label_column, image_size


def _read(
    source: str, data_dir: str, label_column: str | None, image_size: int | None, *, download: bool
) -> Dataset:
    """All rows of a source; its label column may be missing."""
    read = partial(
        load, source, data_dir=data_dir, download=download, image_size=image_size, purpose="apply"
    )
    try:
        return read(label_column=label_column)
    except MissingLabelColumn:
        return read()


def _as_known(run: Run, data: Dataset) -> Dataset:
    """``data`` with the columns or channels that the model of ``run`` was trained on.

    Raises:
        InputError: for others.
    """
    names = run.details.get("feature_names")
    if names and data.feature_names and sorted(names) == sorted(data.feature_names):
        order = torch.tensor([data.feature_names.index(name) for name in names])
        data = replace(data, x=data.x[:, order], feature_names=tuple(names))
    wanted = run.gmvae.event_shape
    if data.kind == "image" and wanted[0] == 3 and data.event_shape == (1, *wanted[1:]):
        data = replace(data, x=data.x.expand(-1, *wanted))
    if data.event_shape != wanted:
        # Of a folder; its images may be brought to any size.
        resizable = data.row_names is not None and (wanted[0], *wanted[1:2]) == (
            len(data.x[0]),
            *wanted[2:],
        )
        resize = f", or --image-size {wanted[1]}" if resizable else ""
        raise InputError(
            f"{data.name} has {_described(data.event_shape)}, the model was trained on "
            f"{_described(wanted)}: give it data like those it was trained on{resize}"
        )
    if names and data.feature_names and tuple(names) != data.feature_names:
        unknown = next(n for n in data.feature_names if n not in names)
        missing = next((n for n in names if n not in data.feature_names), names[0])
        raise InputError(
            f"{data.name} has a column {unknown!r} that the model does not know and lacks "
            f"{missing!r}: name the columns as in training"
        )
    return data


def cluster_input(preprocessor: Preprocessor) -> Callable[[Tensor], Tensor]:
    """The map to model scale without random draws, for a datum's cluster."""
    return preprocessor.mean_input if preprocessor.binarize == "dynamic" else preprocessor


def row_responsibilities(
    gmvae: GMVAE, preprocessor: Preprocessor, x: Tensor, *, seed: int = 0
) -> Float[Tensor, "N K"]:
    """q(y|x) of raw rows, on the CPU; ``seed`` is of a random binarisation."""
    preprocessor.to(gmvae.model.component_loc.device)
    return responsibilities(gmvae, x, transform=cluster_input(preprocessor), seed=seed)


def with_share(splits: Splits, share: float, *, seed: int) -> Splits:
    """The same but for a random ``share`` of the training rows, drawn without replacement."""
    order = torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(seed))
    kept = order[: max(1, round(share * len(order)))].sort().values
    return replace(splits, train=splits.train.subset(kept))


def digest(data: Dataset) -> str:
    """A fingerprint of the rows."""
    # Of a table in float32, as it was when the first runs were made.
    x = data.x.float() if data.x.is_floating_point() else data.x
    return hashlib.sha256(x.contiguous().numpy().data).hexdigest()


def _described(event_shape: tuple[int, ...]) -> str:
    if len(event_shape) == 1:
        return f"{event_shape[0]} column{'s' * (event_shape[0] != 1)}"
    return f"images of shape {event_shape}"
