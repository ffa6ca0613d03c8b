"""Define ``pyro-gmvae prune``."""

from __future__ import annotations

import click

from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say, say_json


@click.command(cls=Command)
@options.run_argument
@click.option("--out", required=True, metavar="SMALLER", help="Folder to write the new run to.")
@click.option(
    "--least",
    type=options.Share(),
    metavar="FLOAT",
    default=0.0,
    show_default=True,
    help="Share of the training rows that a cluster needs to stay; 0 drops empty ones only.",
)
@click.option("--overwrite", is_flag=True, help="Replace the run that is in --out.")
@options.device
@options.data_dir
@options.download
@options.quiet
@options.json_output
def command(
    run: str,
    out: str,
    least: float,
    overwrite: bool,
    device: str,
    data_dir: str | None,
    download: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Drop the clusters of RUN that have hardly any rows.

    Ask for too many clusters at first, and prune those that stay empty. Nothing is trained anew;
    the rows of a dropped cluster go to the others.

    \b
    Example:
      pyro-gmvae prune runs/customers --least 0.01 --out runs/customers-pruned
    """
    from pyro_gmvae.run_data import load_run_splits
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.prune import prune_run

    opened = load(run, device)
    splits = load_run_splits(opened, data_dir=data_dir, download=download)
    pruned = prune_run(opened, splits, out, least_share=least, overwrite=overwrite)
    if as_json:
        say_json({"run": out, "kept": pruned.kept, "dropped": pruned.dropped})
    elif not quiet:
        gone = ", ".join(map(str, pruned.dropped)) or "none"
        say(f"Dropped: {gone}. The model with {len(pruned.kept)} clusters is in {out}.")
