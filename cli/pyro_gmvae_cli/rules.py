"""Define ``pyro-gmvae rules``."""

from __future__ import annotations

import click

from pyro_gmvae.ranges import MOST_QUESTIONS
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say, say_json


@click.command(cls=Command)
@options.run_argument
@click.argument("data", required=False)
@click.option(
    "--depth",
    type=click.IntRange(1, MOST_QUESTIONS),
    metavar="N",
    default=3,
    show_default=True,
    help="Most questions that a row is asked; more are nearer to the model.",
)
@click.option("--sql", is_flag=True, help="Write a CASE expression of standard SQL.")
@click.option(
    "-o", "--output", metavar="FILE", help="File to write the rules to, in place of the terminal."
)
@options.seed
@options.device
@options.quiet
@options.json_output
def command(
    run: str,
    data: str | None,
    depth: int,
    sql: bool,
    output: str | None,
    seed: int,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say the clusters of the model in the folder RUN by a few rules of its columns.

    The rules are those of a shallow tree, of which every row meets one. They are grown on most of
    the rows of DATA, by default all that RUN was trained on, and judged on the others: the output
    says how often they agree with the model.

    With --sql they are a CASE expression that gives the cluster. A gap is NULL, dates are of type
    DATE, and text has no blanks around it.

    \b
    Examples:
      pyro-gmvae rules runs/customers
      pyro-gmvae rules runs/customers --depth 5 --sql -o segment.sql
    """
    to_stdout = options.to_standard_output(output, as_json) or output is None

    from pyro_gmvae.run_data import load_rows
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.output import STANDARD_OUTPUT, text_output
    from pyro_gmvae.tasks.rules import run_rules
    from pyro_gmvae_cli.show import tell_notes

    opened = load(run, device)
    rows = load_rows(opened, data, "all")
    if data is not None and not quiet:
        tell_notes(rows)
    with text_output(STANDARD_OUTPUT if output is None else output) as write:
        found = run_rules(opened, rows, max_depth=depth, seed=seed)
        if not (as_json and to_stdout):
            write(found.to_sql() if sql else found.to_text())
    if as_json:
        say_json({"run": run, "data": rows.name, "output": output, **found.to_dict()})
    elif not quiet and (sql or not to_stdout):
        where = "on standard output" if to_stdout else f"in {output}"
        agreed = f"{found.fidelity:.1%} of {found.held_out_rows} held-out rows"
        say(f"Rules that agree with the model on {agreed} are {where}.", err=to_stdout)
