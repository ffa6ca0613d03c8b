"""Define the settings of the data: rows, columns, what is known, and what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyro_gmvae import ranges
from pyro_gmvae.fitting.knobs import Checked, knob

__all__ = ["DataSettings"]


@dataclass(frozen=True)
class DataSettings(Checked):
    """Choose the rows, what is known about them, and which are held out.

    >>> DataSettings(test_fraction=0.2).test_fraction
    0.2
    """

    kind: str = knob(
        "auto",
        "word",
        "What the rows are: embedding takes the direction of rows of many numbers and leaves out "
        "their length; table takes the columns as they are; auto takes rows of unit length and 64 "
        "columns or more for embeddings.",
        choices=("auto", "table", "embedding"),
    )
    label_column: str | None = knob(
        None, "text", "Column of a table that holds class labels; they serve the evaluation only."
    )
    weight_column: str | None = knob(
        None,
        "text",
        "Column of a table that says how much each row counts: how often it was seen, or its "
        "weight in a survey.",
        metavar="COLUMN",
        flags=("--weight",),
    )
    covariate: Sequence[str] = knob(
        (),
        "texts",
        "Column of a table that is not clustered on, and tells who is likely to be in which "
        "cluster; may be given several times.",
        metavar="COLUMN",
    )
    schema: str | None = knob(
        None,
        "file",
        "File (.json) of what the columns of a table mean, as the command schema writes it.",
    )
    column: Sequence[str] = knob(
        (),
        "texts",
        "Kind of a column, where the guess is wrong: real, amount, count, binary, category, "
        "ordinal, date or spike; may be given several times.",
        metavar="NAME=KIND",
    )
    drop: Sequence[str] = knob((), "names", "Columns of a table to leave out.", metavar="NAME,...")
    columns: Sequence[str] = knob(
        (), "names", "Columns of a table to train on; the others are left out.", metavar="NAME,..."
    )
    column_weight: Sequence[str] = knob(
        (),
        "texts",
        "Weight of a column in training; may be given several times.",
        metavar="NAME=W",
    )
    labels: str | None = knob(
        None,
        "file",
        "File (.csv) of known clusters, to train with: a column label, and a column row if only "
        "some rows have one.",
    )
    must_link: str | None = knob(
        None, "file", "File (.csv) of rows that belong together: columns row and group."
    )
    stream: str = knob(
        "auto",
        "word",
        "Read the rows of a Parquet or text table in pieces, with a sample in memory; auto does so "
        "where they would take much of the memory.",
        choices=("auto", "on", "off"),
    )
    image_size: int | None = knob(
        None,
        "int",
        "Height and width that the images of a folder are resized and cropped to.",
        least=1,
        most=ranges.MOST_SIDE,
        unset="as they are",
        metavar="N",
    )
    sample: int | None = knob(
        None,
        "int",
        "Rows to train on, drawn uniformly; the others are placed, and fits of parts of the sample "
        "say how stable the clusters are.",
        least=1,
        most=ranges.MOST_ROWS,
        unset="all",
        metavar="N",
    )
    validation_fraction: float = knob(
        0.1, "float", "Share of the rows held out for early stopping.", least=0, below=1
    )
    test_fraction: float = knob(
        0.1, "float", "Share of the rows held out for the evaluation.", least=0, below=1
    )
    data_dir: str = knob(
        "data",
        "file",
        "Folder of mnist, fashion-mnist, cifar10, cifar100 and cifar100-fine.",
        metavar="DIR",
        resumable=True,
    )
