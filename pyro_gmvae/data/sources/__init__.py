"""Load the data set, file or folder that a user names, and split it."""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from pyro_gmvae.data.arrays import load_array, with_wishes
from pyro_gmvae.data.checks import Purpose
from pyro_gmvae.data.columns.conform import conform_columns
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.dataset import Dataset, Splits, hold_out
from pyro_gmvae.data.folders import load_folder
from pyro_gmvae.data.images import TORCHVISION_CLASSES, load_digits, load_torchvision
from pyro_gmvae.data.known import read_known
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.sources.files import TABLE_SUFFIXES, check_file, is_table, table_suffix
from pyro_gmvae.data.sources.raw import STANDARD_INPUT
from pyro_gmvae.data.table_file import load_table
from pyro_gmvae.errors import InputError

BUILT_IN = ("digits", *TORCHVISION_CLASSES)
ARRAY_SUFFIXES = (".npy", ".npz")
MIN_VALIDATION = 50  # rows; with fewer, the held-out ELBO is too noisy for early stopping


def load(
    source: str,
    *,
    split: Literal["all", "train", "test"] = "all",
    data_dir: str | Path = "data",
    download: bool = False,
    label_column: str | None = None,
    weight_column: str | None = None,
    covariates: Sequence[str] = (),
    image_size: int | None = None,
    purpose: Purpose = "fit",
    wishes: Wishes | None = None,
    may_lack: bool = False,
) -> Dataset:
    r"""Load a built-in data set, a file or a folder of images.

    Args:
        source: one of `BUILT_IN`, a table (a path ending in one of `TABLE_SUFFIXES`, a folder of
            ``.parquet`` files, or ``-`` for text on standard input), a path ending in ``.npy`` or
            ``.npz``, or a folder of images. A folder that has the name of a built-in set is
            ``./name``.
        split: an official part; a source without parts (``digits``, files and folders) is loaded
            whole.
        data_dir: the folder that torchvision's data sets are in, or are downloaded to.
        download: whether a missing data set may be downloaded.
        label_column: the column of a table that becomes ``class_labels``.
        weight_column: the column of a table that becomes ``weights``.
        covariates: the columns of a table that become ``covariates``.
        image_size: the height and width to resize and crop the images of a folder to.
        purpose: ``"fit"`` guesses what the columns of a table mean, leaves out those that say
            nothing about clusters, and refuses fewer than 2 rows; ``"apply"`` does none of these.
        wishes: what the user says about the columns of a table, when fitting.
        may_lack: whether a table may be without these two columns, and then has no labels or
            weights.

    Raises:
        InputError: if there is no such source, or its content cannot be used.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.csv")
    ...     _ = path.write_text("size;tier\n1.5;a\n2.5;b\n4.0;a\n")
    ...     data = load(str(path), label_column="tier")
    >>> data.feature_names, data.class_labels.tolist()
    (('size',), [0, 1, 0])
    """
    path = Path(source)
    folder = is_folder(source)
    _check(source)
    table = source not in BUILT_IN and is_table(source)
    columns = [("covariate", column) for column in covariates]
    for what, column in (("label", label_column), ("weight", weight_column), *columns):
        if column is not None and not table:
            raise InputError(
                f"{source} is not a table, so it has no {what} column {column}: leave it out."
            )
    if image_size is not None and (table or not folder):
        raise InputError(
            f"{source} is not a folder of images, so it has no image size {image_size} to choose: "
            "leave it out."
        )
    if wishes not in (None, Wishes()) and (folder or source in BUILT_IN) and not table:
        raise InputError(f"{source} has images, which have no columns to describe: leave it out.")
    if source == "digits":
        return load_digits()
    if source in TORCHVISION_CLASSES:
        return load_torchvision(source, split=split, data_dir=data_dir, download=download)
    if table:
        return load_table(
            path,
            label_column=label_column,
            weight_column=weight_column,
            covariates=covariates,
            purpose=purpose,
            wishes=wishes,
            may_lack=may_lack,
        )
    if folder:
        return load_folder(path, image_size=image_size, purpose=purpose)
    return with_wishes(load_array(path, purpose=purpose), wishes)


def is_folder(source: str) -> bool:
    """Return True if a source is a folder and not the name of a built-in set."""
    return source not in BUILT_IN and Path(source).is_dir()


def load_splits(
    source: str,
    *,
    seed: int,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    data_dir: str | Path = "data",
    download: bool = False,
    label_column: str | None = None,
    weight_column: str | None = None,
    covariates: Sequence[str] = (),
    image_size: int | None = None,
    labels: str | Path | None = None,
    must_link: str | Path | None = None,
    known: Sequence[int] | None = None,
    least_validation: int = MIN_VALIDATION,
    schema: Schema | None = None,
    covariate_schema: Schema | None = None,
    wishes: Wishes | None = None,
    stream: bool = False,
) -> Splits:
    """Load a source in three disjoint parts; the same seed gives the same parts.

    The test rows are the official test part of a set that torchvision reads, and a random share of
    ``digits``, a file or a folder. Rows that have a label or a group stay in training as long as
    there are enough others. The validation rows are a random share of the rest; none are held out
    if there would be fewer than 50, because their ELBO is too noisy for early stopping.

    Args:
        source: as in `load`.
        seed: the seed of the shuffles that choose the rows; each part keeps them in their order.
        validation_fraction: the share of the rows outside the test part that is held out for
            validation.
        test_fraction: the share held out for testing, where there is no official test part.
        data_dir: as in `load`.
        download: as in `load`.
        label_column: as in `load`.
        weight_column: as in `load`.
        covariates: as in `load`.
        image_size: as in `load`.
        labels: a file with the known clusters of some rows (see `read_known`). The file of a set
            with an official test part is about the training rows.
        must_link: a file with the groups of some rows that belong together, likewise.
        known: the rows that these files name, where the files are not given.
        least_validation: the fewest rows that are worth holding out for validation.
        schema: the columns by which a table is to be read, where a training described them.
        covariate_schema: likewise those of the covariates.
        wishes: as in `load`, where they were not described.
        stream: whether the parts hold a sample of a table that is too large for memory (see
            `pyro_gmvae.data.shards.stream.stream_splits`).

    Raises:
        InputError: as `load` and `read_known`, for fractions outside [0, 1), or for too few rows to
            split.

    >>> splits = load_splits("digits", seed=0, validation_fraction=0.1, test_fraction=0.2)
    >>> len(splits.train), len(splits.validation), len(splits.test)
    (1294, 144, 359)
    """
    if stream:
        _check(source)
        known_files = {"a weight column": weight_column, "labels": labels, "groups": must_link}
        for what, said in {**known_files, "covariates": covariates or None}.items():
            if said is not None:
                raise InputError(
                    f"{source} is read in stream, which takes no {what}: leave it out, or choose "
                    "stream off."
                )
        from pyro_gmvae.data.shards.stream import stream_splits

        return stream_splits(
            source,
            seed=seed,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            least_validation=least_validation,
            label_column=label_column,
            schema=schema,
            wishes=wishes,
        )
    read = partial(
        load,
        source,
        data_dir=data_dir,
        download=download,
        label_column=label_column,
        weight_column=weight_column,
        covariates=covariates,
        image_size=image_size,
        wishes=wishes,
        purpose="fit" if schema is None else "apply",
    )
    whole = read(split="train" if source in TORCHVISION_CLASSES else "all")
    if schema is not None:
        whole = conform_columns(whole, schema, takes_gaps=True)
    if covariate_schema is not None and whole.covariates is not None:
        own = conform_columns(whole.covariates, covariate_schema, takes_gaps=False)
        whole = replace(whole, covariates=own)
    if labels is not None:
        whole = replace(whole, labels=read_known(Path(labels), "label", len(whole)))
    if must_link is not None:
        whole = replace(whole, must_link=read_known(Path(must_link), "group", len(whole)))
    if source in TORCHVISION_CLASSES:
        rest, test = whole, read(split="test")
        test = replace(test, places=len(whole) + torch.arange(len(test)))
    else:
        rest, test = hold_out(whole, test_fraction, "test", seed=seed, known=known)
    train, validation = hold_out(
        rest, validation_fraction, "validation", seed=seed, least=least_validation, known=known
    )
    return Splits(train, validation, test)


def _check(source: str) -> None:
    """Raise an `InputError` that names the cause if there is no such source."""
    if source in (*BUILT_IN, STANDARD_INPUT) or is_folder(source):
        return
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", source):
        raise InputError(
            f"{source} is an address, and only files are read: download it and name the file."
        )
    path = Path(source)
    known = (
        f"{', '.join(BUILT_IN)}, a table ({', '.join(TABLE_SUFFIXES)}), a .npy or .npz file, or a "
        "folder of images"
    )
    if table_suffix(path) or path.suffix.lower() in ARRAY_SUFFIXES:
        check_file(path, source)
    elif path.is_file():
        raise InputError(f"{source} is a file of an unknown type: use {known}.")
    elif path.exists():
        check_file(path, source)
    elif os.sep in source:
        raise InputError(f"There is no file or folder {source}: check its path.")
    else:
        near = difflib.get_close_matches(source.lower(), BUILT_IN, 1)
        hint = f"did you mean {near[0]}?" if near else f"use {known}."
        raise InputError(f"There is no data set {source}: {hint}")
