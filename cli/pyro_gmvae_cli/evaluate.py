"""Define ``pyro-gmvae evaluate``."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from pyro_gmvae.errors import InputError
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say_json, warn


@click.command(cls=Command)
@options.run_argument
@click.argument("data", required=False)
@options.samples
@click.option(
    "--split",
    type=click.Choice(["test", "train", "validation", "all"]),
    default="test",
    show_default=True,
    help="Rows of the run's own data to evaluate on.",
)
@options.seed
@options.device
@options.data_of_run
@options.quiet
@options.json_output
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    data: str | None,
    samples: int,
    split: str,
    seed: int,
    device: str,
    data_dir: str | None,
    image_size: int | None,
    download: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure how well the model in the folder RUN fits, and how it uses its clusters.

    Without DATA the model is evaluated on the test rows that training held out. DATA is a built-in
    name, a file or a folder of images, of which all rows are used. The log-likelihood of a table is
    in the table's own units.

    \b
    Examples:
      pyro-gmvae evaluate runs/digits
      pyro-gmvae evaluate runs/customers new.csv --json
    """
    if data is not None and ctx.get_parameter_source("split") is not ParameterSource.DEFAULT:
        raise InputError("--split is for the run's own data: leave out DATA or --split")
    if data is None and image_size is not None:
        raise InputError("--image-size is for other data than the run's own: name DATA")

    from pyro_gmvae.run_data import load_rows
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.evaluate import evaluate_run
    from pyro_gmvae_cli.show import figures_table, tell_notes

    opened = load(run, device)
    part: Any = split if data is None else "all"
    rows = load_rows(
        opened, data, part, data_dir=data_dir, download=download, image_size=image_size
    )
    if not quiet:
        tell_notes(rows)
    figures = evaluate_run(opened, rows, num_samples=samples, seed=seed, part=part)
    if as_json:
        say_json(figures.values)
    elif not quiet:
        figures_table(figures)
        warn(figures.warning)
