"""Define the command group, which imports a command's file when the command is used."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from pyro_gmvae import __version__
from pyro_gmvae_cli.errors import Failure, reported
from pyro_gmvae_cli.signals import ending_signals
from pyro_gmvae_cli.terminal import prepare_streams, settle_streams

# The command `name` is the object `command` in the file `name.py`.
COMMANDS = (
    "train",
    "schema",
    "evaluate",
    "report",
    "predict",
    "impute",
    "sample",
    "select",
    "stability",
    "prune",
    "rules",
    "export",
    "serve",
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

    def invoke(self, ctx: click.Context) -> Any:
        with reported({}), ending_signals():
            return super().invoke(ctx)

    def main(self, *args: Any, **options: Any) -> Any:
        prepare_streams()
        try:
            # A help that cannot be printed is an error here, not in `invoke`.
            with reported({}):
                return super().main(*args, **options)
        except Failure as failure:
            if not options.get("standalone_mode", True):
                raise
            with suppress(OSError):  # standard error may be what cannot be written
                failure.show()
            sys.exit(failure.exit_code)
        finally:
            settle_streams()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pyro-gmvae")
def main() -> None:
    """Find clusters in images and tables with Gaussian mixture VAEs.

    \b
    Begin with:
      pyro-gmvae train digits --clusters 10 --out runs/digits
      pyro-gmvae evaluate runs/digits

    \b
    Exit codes:
      0    all is well
      1    the training failed, or the system: memory, disk
      2    input, an option or a path has to be corrected
      130  ended by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP
    """
