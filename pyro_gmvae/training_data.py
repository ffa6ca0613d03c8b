"""Read the rows that the settings of a training name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyro_gmvae.data import BUILT_IN, MIN_VALIDATION, Schema, Splits, load_splits
from pyro_gmvae.data.columns.wishes import Wishes, stated_wishes, wishes_of
from pyro_gmvae.data.sources.files import is_table
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.groups import DataSettings
from pyro_gmvae.fitting.settings import Settings

__all__ = ["load_settings_splits", "sources_of", "wishes_of_settings", "with_stream_chosen"]


def load_settings_splits(
    settings: Settings,
    *,
    download: bool = False,
    known: Sequence[int] | None = None,
    least_validation: int = MIN_VALIDATION,
    schema: Schema | None = None,
    covariate_schema: Schema | None = None,
) -> Splits:
    """Load the training, validation and test rows that ``settings`` name.

    Args:
        settings: the settings of the training.
        download: fetch a built-in data set that is missing.
        known: the rows that were kept in training, where the files of labels and groups do not say.
        least_validation: the fewest rows that are held out for early stopping.
        schema: the columns by which a table is to be read, where a training described them.
        covariate_schema: likewise those of the covariates.

    Raises:
        InputError: without a source, and as `pyro_gmvae.data.load_splits`.

    >>> splits = load_settings_splits(Settings.of("digits", test_fraction=0.2))
    >>> len(splits.train), len(splits.validation), len(splits.test)
    (1294, 144, 359)
    """
    if settings.source is None:
        raise InputError("this run was not trained from a named source: name the data to use")
    data = settings.data
    splits = load_splits(
        settings.source,
        seed=settings.training.seed,
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
        data_dir=data.data_dir,
        download=download,
        label_column=data.label_column,
        weight_column=data.weight_column,
        covariates=data.covariate,
        image_size=data.image_size,
        labels=data.labels,
        must_link=data.must_link,
        known=known,
        least_validation=least_validation,
        schema=schema,
        covariate_schema=covariate_schema,
        wishes=None if schema is not None else wishes_of_settings(data),
        stream=data.stream == "on",
    )
    if schema is None:
        splits = _of_chosen_kind(splits, data.kind)
    if data.sample is None:
        return splits
    return splits.sampled(data.sample, seed=settings.training.seed)


def _of_chosen_kind(splits: Splits, said: str) -> Splits:
    """Take the rows for the kind of data that suits them, and note a kind that nobody named."""
    kind = defaults.kind(said, splits.train)
    if kind is splits.train.kind:
        return splits
    made = splits.of_kind(kind)
    if said != defaults.AUTO:
        return made
    note = "all rows have unit length, and are taken for embeddings unless the kind is table"
    return replace(made, train=replace(made.train, notes=(*made.train.notes, note)))


def with_stream_chosen(settings: Settings) -> Settings:
    """Choose whether a training reads its rows in stream, where the user leaves it open.

    The choice depends on the machine, so that it is made once and kept in the settings of the run.
    Weights, labels, groups and covariates are for rows in memory.

    Raises:
        InputError: for a file of Parquet that cannot be read.

    >>> with_stream_chosen(Settings.of("digits")).data.stream  # images are not read in stream
    'auto'
    """
    data, source = settings.data, settings.source
    if source is None or not is_table(source):
        return settings
    in_memory = (data.weight_column, data.labels, data.must_link, data.covariate or None)
    known = any(said is not None for said in in_memory)
    return settings.with_(stream=defaults.stream(data.stream, source, known=known))


def wishes_of_settings(data: DataSettings) -> Wishes:
    """Return what the settings say about the columns; the single options go before the file.

    Raises:
        InputError: for a file that cannot be used, an unknown kind, or a weight that is no number.

    >>> wishes_of_settings(DataSettings(column=["age=count"], drop=["name"])).kinds
    {'age': 'count'}
    """
    stated = stated_wishes(data.column, data.drop, data.columns, data.column_weight)
    return wishes_of(data.schema).and_then(stated)


def sources_of(settings: Settings) -> list[str]:
    """Return the files and folders that a training reads: its data, schema, labels and groups.

    >>> from pathlib import Path
    >>> [Path(source).name for source in sources_of(Settings.of("rows.csv", labels="known.csv"))]
    ['rows.csv', 'known.csv']
    >>> sources_of(Settings.of("digits"))
    []
    """
    named = settings.source if settings.source not in BUILT_IN else None
    every = (named, settings.data.schema, settings.data.labels, settings.data.must_link)
    return [source for source in every if source is not None]
