"""Describe the columns of a table, for people to look at and to correct."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from pyro_gmvae.data import Dataset, Schema, load
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.training_data import wishes_of_settings

__all__ = ["check_schema_name", "describe_source", "write_schema"]


def describe_source(settings: Settings) -> Dataset:
    """Read the table that settings name, with the schema that a training on it would have.

    Raises:
        InputError: for a source that is no table, or cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/t.csv"
    ...     with open(path, "w") as file:
    ...         print("size,tier", "1.5,a", "2.5,b", "4.0,a", sep=chr(10), file=file)
    ...     data = describe_source(Settings.of(path))
    >>> [(column.name, column.kind) for column in data.schema.columns]
    [('size', 'real'), ('tier', 'binary')]
    """
    assert settings.source is not None
    data = load(
        settings.source,
        data_dir=settings.data.data_dir,
        label_column=settings.data.label_column,
        weight_column=settings.data.weight_column,
        wishes=wishes_of_settings(settings.data),
    )
    if len(data.event_shape) != 1:
        raise InputError(f"{data.name} has images, which have no columns: name a table.")
    if data.schema is None:
        data = replace(data, schema=Schema.of_numbers(data.event_shape[0], data.feature_names))
    return data


def check_schema_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that does not end in ``.json``.

    Raises:
        InputError: naming one that does.

    >>> check_schema_name("columns.txt")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: columns.txt does not end in .json: name a file like columns.json
    """
    if Path(path).suffix.lower() != ".json":
        raise InputError(f"{os.fspath(path)} does not end in .json: name a file like columns.json")


def write_schema(schema: Schema, path: str | os.PathLike[str]) -> None:
    """Write the columns as a file for ``--schema``.

    Raises:
        InputError: for a name that does not end in ``.json``, or a file that cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> with TemporaryDirectory() as folder:
    ...     write_schema(Schema.of_numbers(1, ["age"]), f"{folder}/columns.json")
    ...     json.loads(Path(f"{folder}/columns.json").read_text())["columns"]
    [{'name': 'age', 'kind': 'real'}]
    """
    check_schema_name(path)
    with written_whole(path) as partial:
        text = json.dumps(schema.to_file(), indent=2, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")
