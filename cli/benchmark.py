"""`pyro-gmvae benchmark`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from pyro_gmvae.benchmarks import NAMES

from . import options
from .errors import Command

WORDS = """Measure how fast this machine trains, or how well.

\b
NAME is one of
{names}

Each ends with a table, most within minutes; clusters and selection take an hour or more, paper half
an hour. ARGUMENTS are the benchmark's own options, such as
--methods exact concrete --clusters 2 50; with -- --help it lists them.

\b
Examples:
  pyro-gmvae benchmark step --out step.json
  pyro-gmvae benchmark scaling --methods concrete sparse --clusters 2 10 100
  pyro-gmvae benchmark limit -- --help
""".format(names="\n".join(f"  {name:11} {words}" for name, words in NAMES.items()))


@click.command(
    cls=Command,
    help=WORDS,
    short_help="Measure how fast this machine trains, or how well.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("name", type=click.Choice(list(NAMES)), metavar="NAME")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--small", is_flag=True, help="The least that shows that it runs.")
@click.option("--full", is_flag=True, help="All of it, which may take hours.")
@click.option("--out", metavar="FILE", help="The .json file to write; a picture goes beside it.")
@options.seed
@options.device
@options.quiet
@options.json_output
def command(name: str, arguments: tuple[str, ...], **values: Any) -> None:
    """See `WORDS`."""
    main = import_module(f"pyro_gmvae.benchmarks.{name}").main
    values["json"] = values.pop("as_json")
    words = list(arguments)
    for option, value in values.items():
        if value is True:
            words.append(f"--{option}")
        elif value not in (None, False):
            words += [f"--{option}", str(value)]
    main(words)
