"""Define ``pyro-gmvae select``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyro_gmvae.fitting.settings import Settings, locate
from pyro_gmvae.ranges import MOST_TRAININGS
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command, training_errors
from pyro_gmvae_cli.options import GroupedOption
from pyro_gmvae_cli.settings import named_settings, training_settings
from pyro_gmvae_cli.terminal import command_line, say, say_json, show

if TYPE_CHECKING:
    from pyro_gmvae.evaluation import Selection


@click.command(cls=Command)
@click.argument("data", callback=lambda ctx, param, value: locate(value))
@click.option(
    "-k",
    "--clusters",
    cls=GroupedOption,
    section="First steps",
    required=True,
    metavar="FROM:TO",
    help="Numbers of clusters to choose from, such as 2:20, 2:20:2 or 5,10.",
)
@click.option(
    "--out",
    cls=GroupedOption,
    section="First steps",
    required=True,
    metavar="FOLDER",
    help="Folder to write the figures to.",
)
@click.option(
    "--runs",
    type=click.IntRange(2, MOST_TRAININGS),
    metavar="INTEGER",
    default=3,
    show_default=True,
    help="Trainings with each number of clusters.",
)
@options.samples
@click.option(
    "--overwrite",
    is_flag=True,
    cls=GroupedOption,
    section="First steps",
    help="Replace the selection that is in --out.",
)
@training_settings(without=("clusters", "tensorboard", "checkpoint_seconds", "stream"))
@options.download
@options.quiet
@options.json_output
def command(
    data: str,
    clusters: str,
    out: str,
    runs: int,
    samples: int,
    overwrite: bool,
    download: bool,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Find out how many clusters there are in DATA.

    The command trains several times with each number of clusters, on four fifths of the rows every
    time. It compares two things: are the same clusters found again, and are unseen rows predicted
    as well as with any other number? No labels are used. Finished trainings are kept in --out, and
    the same command goes on where it stopped. DATA and the other options are those of train.

    \b
    Examples:
      pyro-gmvae select customers.csv --clusters 2:12 --out runs/how-many
      pyro-gmvae select digits --clusters 6:14 --epochs 20 --out runs/digits-how-many
    """
    settings = Settings.of(data, **named_settings(values))

    from pyro_gmvae.tasks.select import counts, select_clusters

    numbers = counts(clusters)
    with training_errors(_how_to_go_on):
        selection = select_clusters(
            settings,
            numbers,
            out,
            runs=runs,
            num_samples=samples,
            overwrite=overwrite,
            download=download,
            on_training=_nothing if quiet else _Progress(numbers, runs),
        )
    if as_json:
        say_json({"data": data, **selection.to_dict()})
    elif not quiet:
        _show(selection, out)


def _how_to_go_on(error: KeyboardInterrupt) -> str:
    # A second --overwrite would drop the trainings that are finished.
    words = [word for word in sys.argv[1:] if word != "--overwrite"]
    again = command_line(["pyro-gmvae", *words])
    return f"Finished trainings are kept. Go on with: {again}"


def _nothing(k: int, run: int) -> None:
    pass


class _Progress:
    """Print one line for each training, on standard error."""

    def __init__(self, numbers: list[int], runs: int) -> None:
        self.numbers = numbers
        self.runs = runs

    def __call__(self, k: int, run: int) -> None:
        place = run * len(self.numbers) + self.numbers.index(k) + 1
        total = self.runs * len(self.numbers)
        say(f"training {place} of {total}: {k} clusters, run {run + 1}", err=True)


def _show(selection: Selection, out: str) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2))
    for heading in ("clusters", "in use", "found again", "ARI", "behind in log p(x)", ""):
        table.add_column(heading, justify="right")
    figures = selection.to_dict()
    for row in figures["candidates"]:
        chosen = row["clusters"] == selection.n_clusters
        table.add_row(
            str(row["clusters"]),
            f"{row['in_use']:.1f}",
            f"{row['found_again']:.1f} +- {row['found_again_se']:.1f}",
            f"{row['ari']:.2f}",
            f"{row['behind']:.2f} +- {row['behind_se']:.2f}",
            "<-" if chosen else "",
            style="bold" if chosen else None,
        )
    show(table)
    n = selection.n_clusters
    say(f"{n} clusters." if selection.sure else f"{n} clusters, but this is not sure:")
    for doubt in selection.doubts:
        say(f"- {doubt}")
    say(f"The picture is {Path(out, 'selection.png')}.")
