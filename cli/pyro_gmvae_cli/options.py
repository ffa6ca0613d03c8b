"""Define the options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import isnan
from typing import Any

import click

from pyro_gmvae.errors import InputError
from pyro_gmvae.ranges import MOST_DRAWS, MOST_SIDE, SEEDS

__all__ = [
    "Decorator",
    "GroupedOption",
    "Share",
    "absolute_path",
    "data_dir",
    "data_of_run",
    "device",
    "download",
    "image_size",
    "json_output",
    "quiet",
    "reject",
    "run_argument",
    "samples",
    "seed",
    "table_output",
    "to_standard_output",
]

Decorator = Callable[[Any], Any]


class GroupedOption(click.Option):
    """Show an option in a section of the help."""

    def __init__(self, *args: Any, section: str = "Options", **options: Any) -> None:
        super().__init__(*args, **options)
        self.section = section


class Share(click.FloatRange):
    """Read a share, from 0 up to below 1; ``above_zero`` refuses 0 itself."""

    def __init__(self, *, above_zero: bool = False) -> None:
        super().__init__(0, 1, min_open=above_zero, max_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Turn the text into a number; NaN, which is in no range, is refused too."""
        share: float = super().convert(value, param, ctx)
        if isnan(share):
            self.fail(f"{share} is not a number", param, ctx)
        return share


run_argument: Decorator = click.argument("run", metavar="RUN")

seed: Decorator = click.option(
    "--seed",
    type=click.IntRange(0, SEEDS - 1),
    metavar="INTEGER",
    default=0,
    show_default=True,
    help="Seed of everything drawn at random.",
)
samples: Decorator = click.option(
    "--samples",
    type=click.IntRange(1, MOST_DRAWS),
    metavar="INTEGER",
    default=100,
    show_default=True,
    help="Importance samples for each row.",
)
device: Decorator = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device to compute on; auto takes a GPU if there is one.",
)
quiet: Decorator = click.option("--quiet", is_flag=True, help="Print no progress and no tables.")
json_output: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of a table."
)
image_size: Decorator = click.option(
    "--image-size",
    type=click.IntRange(1, MOST_SIDE),
    metavar="N",
    help="Resize and crop the images of a folder to N x N.  [default: as at training]",
)
download: Decorator = click.option(
    "--download", is_flag=True, help="Fetch a built-in data set that is missing in --data-dir."
)


def absolute_path(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Make a path absolute, so that a run finds it again from anywhere."""
    return value and os.path.abspath(value)


data_dir: Decorator = click.option(
    "--data-dir",
    metavar="DIR",
    callback=absolute_path,
    help="Folder of mnist, fashion-mnist, cifar10, cifar100 and cifar100-fine."
    "  [default: the one at training]",
)
reject: Decorator = click.option(
    "--reject",
    type=Share(above_zero=True),
    metavar="SHARE",
    help="Put the rows that fit no cluster into cluster -1: this share of rows like those of "
    "training.",
)
table_output: Decorator = click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The .csv, .csv.gz or .parquet file to write, or - for .csv on standard output.",
)


def to_standard_output(output: str | None, as_json: bool) -> bool:
    """Return True if the rows go to standard output, which then holds nothing else.

    Raises:
        InputError: if the JSON object is to be there too.
    """
    if output == "-" and as_json:
        raise InputError(
            "--json and --output - both write to standard output: name a file, or leave out --json"
        )
    return output == "-"


def data_of_run(command: Any) -> Any:
    """Add the options by which new rows are read for a run."""
    for option in (download, image_size, data_dir):
        command = option(command)
    return command
