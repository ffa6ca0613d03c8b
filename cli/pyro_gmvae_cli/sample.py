"""Define ``pyro-gmvae sample``."""

from __future__ import annotations

import click

from pyro_gmvae.ranges import MOST_DRAWS
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say, say_json


@click.command(cls=Command)
@options.run_argument
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="File to write: a .png, .pdf, .svg or .jpg of images; a .csv, .csv.gz or .parquet of a"
    " table, or - for its .csv on standard output.",
)
@click.option(
    "--per-cluster",
    type=click.IntRange(1, MOST_DRAWS),
    metavar="INTEGER",
    default=10,
    show_default=True,
    help="Draws from each cluster.",
)
@options.seed
@options.device
@options.quiet
@options.json_output
def command(
    run: str, output: str, per_cluster: int, seed: int, device: str, quiet: bool, as_json: bool
) -> None:
    """Draw new data from each cluster of the model in the folder RUN.

    A model of images writes a picture with one row for each cluster; a model of a table writes a
    table in its own units, with the column cluster at the end. In a .csv an apostrophe comes before
    a column's name that a spreadsheet would take for a formula; a .parquet has the name as it is.

    \b
    Examples:
      pyro-gmvae sample runs/digits -o grid.png
      pyro-gmvae sample runs/customers -o invented.csv --per-cluster 100
    """
    to_stdout = options.to_standard_output(output, as_json)

    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.sample import sample_run

    opened = load(run, device)
    sample_run(opened, output, per_cluster=per_cluster, seed=seed)
    clusters = opened.gmvae.n_components
    if as_json:
        say_json({"output": output, "clusters": clusters, "per_cluster": per_cluster})
    elif not quiet:
        where = "on standard output" if to_stdout else f"in {output}"
        say(f"Drew {per_cluster} from each of {clusters} clusters, {where}.", err=to_stdout)
