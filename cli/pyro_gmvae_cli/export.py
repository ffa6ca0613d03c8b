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
    help="Format to write: " + ", or ".join(f"{n}, {f.writes}" for n, f in FORMATS.items()) + ".",
)
@click.option("-o", "--output", required=True, metavar="PATH", help="What to write.")
@click.option("--density", is_flag=True, help="The exported model also gives log p(x).")
@options.reject
@click.option(
    "--dates",
    type=click.Choice(["text", "number"]),
    help="How an onnx graph takes dates: as text, or as days since 1970-01-01.  [default: text]",
)
@click.option(
    "--elbo-at",
    type=click.Choice(["points", "mean"]),
    help="Where an onnx graph decodes z for its lower bound of log p(x): at balanced points, or at "
    "the mean alone, which is faster and is no bound.  [default: points]",
)
@options.quiet
@options.json_output
def command(
    run: str,
    format: str,
    output: str,
    density: bool,
    reject: float | None,
    dates: str | None,
    elbo_at: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the model of RUN in a format that other programs read.

    The exported model places rows as predict does. An onnx graph takes the raw columns by their
    names, and gives the outputs cluster, responsibilities, latent and elbo.

    \b
    Examples:
      pyro-gmvae export runs/customers --format mlflow -o customers-model
      pyro-gmvae export runs/customers --format onnx -o customers.onnx
    """
    from pyro_gmvae.tasks.export import export_run

    own = {"density": density, "reject": reject, "dates": dates, "elbo_at": elbo_at}
    export_run(run, output, format, **own)
    if as_json:
        say_json({"output": output, "format": format})
    elif not quiet:
        say(f"The model is in {output}.")
