"""Define ``pyro-gmvae schema``."""

from __future__ import annotations

from typing import Any

import click

from pyro_gmvae.fitting.settings import Settings, locate
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.settings import named_settings, training_settings
from pyro_gmvae_cli.terminal import say, say_json

SETTINGS = ("label_column", "weight_column", "schema", "column", "drop", "columns", "column_weight")


@click.command(cls=Command)
@click.argument("data", callback=lambda ctx, param, value: locate(value))
@click.option("-o", "--output", metavar="FILE", help="File (.json) to write the columns to.")
@training_settings(only=SETTINGS)
@options.quiet
@options.json_output
def command(data: str, output: str | None, quiet: bool, as_json: bool, **values: Any) -> None:
    """Show what the columns of the table DATA are taken for, and why.

    The file that is written can be changed, a kind, the order of levels or a weight, and given to
    the command train as --schema. Columns that it leaves out stay out.

    \b
    Examples:
      pyro-gmvae schema customers.csv
      pyro-gmvae schema customers.csv --column age=count --drop name -o columns.json
      pyro-gmvae train customers.csv --schema columns.json --out runs/customers
    """
    settings = Settings.of(data, **named_settings(values))

    from pyro_gmvae.tasks.schema import check_schema_name, describe_source, write_schema
    from pyro_gmvae_cli.show import schema_table, tell_notes

    if output is not None:
        check_schema_name(output)
    described = describe_source(settings)
    assert described.schema is not None
    if output is not None:
        write_schema(described.schema, output)
    if as_json:
        say_json(described.schema.to_file())
    elif not quiet:
        tell_notes(described)
        schema_table(described, len(described))
        if output is not None:
            say(f"The columns are in {output}: change it, and give it to train as --schema.")
