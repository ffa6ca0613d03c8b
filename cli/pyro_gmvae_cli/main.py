"""Define the command group, which imports a command's file when the command is used."""

from __future__ import annotations

from importlib import import_module

import click

from pyro_gmvae import __version__

# The command `name` is the object `command` in the file `name.py`.
COMMANDS = (
    "train",
    "evaluate",
    "predict",
    "sample",
    "select",
    "stability",
    "prune",
)


class LazyGroup(click.Group):
    """Import a command when it is used, so that the help of all is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"pyro_gmvae_cli.{cmd_name}").command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pyro-gmvae")
def main() -> None:
    """Find clusters in images and tables with Gaussian mixture VAEs.

    \b
    Begin with:
      pyro-gmvae train digits --clusters 10 --out runs/digits
      pyro-gmvae evaluate runs/digits
    """
