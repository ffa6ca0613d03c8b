"""Find the rows that a run was trained on, and read new rows for its model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pyro_gmvae.data import BUILT_IN, Dataset, Splits, load
from pyro_gmvae.data.sources import is_folder
from pyro_gmvae.data.sources.files import is_table
from pyro_gmvae.data.sources.raw import STANDARD_INPUT
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.training_data import load_settings_splits

__all__ = [
    "Part",
    "load_new_rows",
    "load_rows",
    "load_rows_for_each",
    "load_run_rows",
    "load_run_splits",
    "settings_of",
]

Part = Literal["test", "train", "validation", "all"]


class ReadOptions(NamedTuple):
    """Hold the options that new rows are read with.

    >>> options = ReadOptions("data", label_column="tier", weight_column=None, image_size=None)
    >>> options.label_column
    'tier'
    """

    data_dir: str
    label_column: str | None
    weight_column: str | None
    image_size: int | None
    covariates: tuple[str, ...] = ()


def settings_of(fitted: FittedModel) -> Settings:
    """Return the settings that a model was trained with.

    Raises:
        InputError: if the model does not hold them.

    >>> from pyro_gmvae.data import ImageEncoding
    >>> from pyro_gmvae.about import About
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> settings = Settings.of("digits", clusters=3)
    >>> splits = load_settings_splits(settings)
    >>> about = About("digits", settings.to_dict(), fingerprint=splits.fingerprint())
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)), about)
    >>> settings_of(fitted).source, settings_of(fitted).model.clusters
    ('digits', 3)
    """
    if fitted.about.settings is None:
        raise InputError("this run was not trained from a named source: name the data to use")
    return Settings.from_dict(fitted.about.settings)


def load_run_splits(
    fitted: FittedModel,
    *,
    data_dir: str | None = None,
    download: bool = False,
    with_known: bool = False,
) -> Splits:
    """Load the parts of the data that a model was trained on.

    Args:
        fitted: the model.
        data_dir: where the built-in data sets are, if it is another folder than at training.
        download: fetch a built-in data set that is missing.
        with_known: read the labels and groups that it was trained with; their files may be gone.

    Raises:
        InputError: if the model does not know the data, or they have changed since.

    >>> from pyro_gmvae.data import ImageEncoding
    >>> from pyro_gmvae.about import About
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> settings = Settings.of("digits", clusters=3)
    >>> splits = load_settings_splits(settings)
    >>> about = About("digits", settings.to_dict(), fingerprint=splits.fingerprint())
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)), about)
    >>> len(load_run_splits(fitted).train) == len(splits.train)
    True
    """
    settings = settings_of(fitted)
    if settings.source == STANDARD_INPUT:
        raise InputError("this run was trained on standard input, which is gone: name the data")
    if data_dir is not None:
        settings = settings.with_(data_dir=data_dir)
    if not with_known:
        settings = settings.with_(labels=None, must_link=None)
    about = fitted.about
    splits = load_settings_splits(
        settings,
        download=download,
        known=about.known_rows,
        least_validation=about.least_validation,
        # A run may be older than the rules by which columns are described.
        schema=fitted.encoding.schema,
        covariate_schema=None if fitted.covariates is None else fitted.covariates.schema,
    )
    # Otherwise training rows might be counted as held out.
    if splits.fingerprint() != fitted.about.fingerprint:
        raise InputError(
            f"{settings.source} has changed since the run was trained, so its held-out rows are "
            "unknown: name the data to use, or train again"
        )
    return splits


def load_run_rows(
    fitted: FittedModel, part: Part = "test", *, data_dir: str | None = None, download: bool = False
) -> Dataset:
    """Load a part of the data that a model was trained on, or all in the order of the source.

    Raises:
        InputError: as `load_run_splits`, or if the part is empty.

    >>> from pyro_gmvae.data import ImageEncoding
    >>> from pyro_gmvae.about import About
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> settings = Settings.of("digits", clusters=3)
    >>> splits = load_settings_splits(settings)
    >>> about = About("digits", settings.to_dict(), fingerprint=splits.fingerprint())
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)), about)
    >>> len(load_run_rows(fitted, "all")), len(load_run_rows(fitted)) == len(splits.test)
    (1797, True)
    """
    splits = load_run_splits(fitted, data_dir=data_dir, download=download)
    if part == "all" and splits.stream is not None:
        raise InputError(
            "this run read its rows in stream, of which a sample is kept: name the data to use all "
            "of them"
        )
    data: Dataset = splits.whole() if part == "all" else getattr(splits, part)
    if len(data) == 0:
        raise InputError(f"the run kept no rows for {part}: choose another split")
    return data


def load_new_rows(
    fitted: FittedModel,
    source: str,
    *,
    data_dir: str | None = None,
    download: bool = False,
    image_size: int | None = None,
) -> Dataset:
    """Load all rows of another source, with the columns or channels of the model.

    A table's columns are brought into the model's order; the columns of labels and of weights may
    be missing, those of covariates may not. The images of a folder are brought to ``image_size``,
    if None to that of training. A model of colour accepts grey images too.

    Raises:
        InputError: for a source that cannot be read, or rows that do not fit.

    >>> import pandas
    >>> import torch
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     pandas.DataFrame({"spend": [9.5, 7.5], "age": [41, 52]}).to_csv(path, index=False)
    ...     load_new_rows(fitted, path).x.tolist()  # the columns in the order of the model
    [[41.0, 9.5], [52.0, 7.5]]
    """
    options = _read_options(fitted, source, data_dir, image_size)
    return fitted.conform(_read(source, options, download=download))


def load_rows(
    fitted: FittedModel,
    source: str | None,
    part: Part,
    *,
    data_dir: str | None = None,
    download: bool = False,
    image_size: int | None = None,
) -> Dataset:
    """Load all rows of another source, or without one a part of the model's own data.

    Args and errors: as in `load_new_rows` and `load_run_rows`.

    >>> import pandas
    >>> import torch
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     pandas.DataFrame({"spend": [9.5, 7.5], "age": [41, 52]}).to_csv(path, index=False)
    ...     len(load_rows(fitted, path, "test"))
    2
    """
    if source is None:
        return load_run_rows(fitted, part, data_dir=data_dir, download=download)
    return load_new_rows(
        fitted, source, data_dir=data_dir, download=download, image_size=image_size
    )


def load_rows_for_each(
    models: Sequence[FittedModel],
    source: str | None,
    *,
    data_dir: str | None = None,
    download: bool = False,
    image_size: int | None = None,
) -> list[Dataset]:
    """Load the same rows for each of several models; None is all data of the first model.

    The rows are read once, and again only for a model that was trained with another column of
    labels or weights, image size or folder of data.

    Raises:
        InputError: as `load_new_rows`, and for data of the first run that have changed since.

    >>> import pandas
    >>> import torch
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     pandas.DataFrame({"spend": [9.5, 7.5], "age": [41, 52]}).to_csv(path, index=False)
    ...     [len(rows) for rows in load_rows_for_each([fitted, fitted], path)]
    [2, 2]
    """
    read: dict[ReadOptions, Dataset] = {}
    if source is None:
        settings = settings_of(models[0])
        own = load_run_rows(models[0], "all", data_dir=data_dir, download=download)
        source, data_dir = str(settings.source), data_dir or settings.data.data_dir
        read[_read_options(models[0], source, data_dir, image_size)] = own
    found = []
    for fitted in models:
        options = _read_options(fitted, source, data_dir, image_size)
        if options not in read:
            read[options] = _read(source, options, download=download)
        found.append(fitted.conform(read[options]))
    return found


def _read_options(
    fitted: FittedModel, source: str, data_dir: str | None, image_size: int | None
) -> ReadOptions:
    stored = Settings() if fitted.about.settings is None else settings_of(fitted)
    table = source not in BUILT_IN and is_table(source)
    label_column, weight_column = (
        (stored.data.label_column, stored.data.weight_column) if table else (None, None)
    )
    if image_size is None and is_folder(source) and not table:
        image_size = stored.data.image_size
    folder = data_dir or stored.data.data_dir
    covariates = () if fitted.covariates is None else fitted.covariates.names
    return ReadOptions(folder, label_column, weight_column, image_size, covariates)


def _read(source: str, options: ReadOptions, *, download: bool) -> Dataset:
    """Read all rows of a source; its columns of labels and weights may be missing."""
    return load(
        source,
        data_dir=options.data_dir,
        download=download,
        label_column=options.label_column,
        weight_column=options.weight_column,
        covariates=options.covariates,
        image_size=options.image_size,
        purpose="apply",
        may_lack=True,
    )
