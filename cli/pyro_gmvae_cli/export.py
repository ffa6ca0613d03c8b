"""Define ``pyro-gmvae export``."""

from __future__ import annotations

import click

from pyro_gmvae.tasks.export import FORMATS
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say, say_json


@click.command(cls=Command)
@options.run_argument
@click.option(
    "--format",
    required=True,
    type=click.Choice(list(FORMATS)),
    help="; ".join(f"{name}: {format.writes}" for name, format in FORMATS.items()) + ".",
)
@click.option("-o", "--output", required=True, metavar="PATH", help="What to write.")
@click.option("--density", is_flag=True, help="The exported model also gives log p(x).")
@click.option(
    "--reject",
    type=options.Share(above_zero=True),
    metavar="SHARE",
    help="The exported model puts this share of rows like those of training into cluster -1.",
)
@options.quiet
@options.json_output
def command(
    run: str,
    format: str,
    output: str,
    density: bool,
    reject: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the model of RUN in a format that other programs read.

    The exported model places rows as predict does.

    \b
    Examples:
      pyro-gmvae export runs/customers --format mlflow -o customers-model
    """
    from pyro_gmvae.tasks.export import export_run

    export_run(run, output, format, density=density, reject=reject)
    if as_json:
        say_json({"output": output, "format": format})
    elif not quiet:
        say(f"The model is in {output}.")
