"""Define ``pyro-gmvae impute``."""

from __future__ import annotations

import click

from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say, say_json


@click.command(cls=Command)
@options.run_argument
@click.argument("data")
@options.table_output
@click.option(
    "--draw",
    is_flag=True,
    help="Fill with random draws, in place of the mean or the likeliest level.",
)
@options.samples
@options.seed
@options.device
@options.quiet
@options.json_output
def command(
    run: str,
    data: str,
    output: str,
    draw: bool,
    samples: int,
    seed: int,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Fill the missing cells of the table DATA by the model in the folder RUN.

    Each cell is filled by what the model says of it given the other cells of its row. All other
    cells are written as they were read, and so are columns that the model does not know. In a .csv
    an apostrophe comes before text that a spreadsheet would take for a formula.

    \b
    Examples:
      pyro-gmvae impute runs/customers customers.csv -o filled.csv
      pyro-gmvae impute runs/customers new.csv -o drawn.parquet --draw --seed 1
    """
    to_stdout = options.to_standard_output(output, as_json)

    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.impute import impute_source
    from pyro_gmvae.tasks.output import check_name, table_output

    check_name(output)
    opened = load(run, device)
    with table_output(output, float_format="%.12g") as write:
        filled = impute_source(opened, data, draw=draw, num_samples=samples, seed=seed)
        write(filled.frame)
    number = sum(filled.cells.values())
    if as_json:
        say_json({"output": output, "rows": len(filled.frame), "filled": filled.cells})
    elif not quiet:
        for note in filled.notes:
            say(f"{data}: {note}.", err=True)
        where = "on standard output" if to_stdout else f"in {output}"
        columns = len(filled.cells)
        say(f"Filled {number} cells of {columns} columns, {where}.", err=to_stdout)
