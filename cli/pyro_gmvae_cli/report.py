"""Define ``pyro-gmvae report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyro_gmvae.errors import InputError
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say, say_json

if TYPE_CHECKING:
    from pyro_gmvae.report.report import Report


@click.command(cls=Command)
@options.run_argument
@click.argument("data", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The .html, .md or .json file to write.  [default: report.html in RUN]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "json"]),
    help="Format of the file.  [default: by the ending of its name]",
)
@click.option(
    "--describe",
    multiple=True,
    metavar="COLUMN",
    help="Column of the table file that was not clustered on, such as revenue or churn, to say how "
    "it differs by segment; may be given several times.",
)
@click.option(
    "--selection",
    metavar="FOLDER",
    help="Folder that `select` wrote, to say how many clusters are supported.  [default: one "
    "beside RUN that is of the same rows, if there is any]",
)
@options.seed
@options.device
@options.data_of_run
@options.quiet
@options.json_output
def command(
    run: str,
    data: str | None,
    output: str | None,
    form: str | None,
    describe: tuple[str, ...],
    selection: str | None,
    seed: int,
    device: str,
    data_dir: str | None,
    image_size: int | None,
    download: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say what the segments of the model in the folder RUN are, in a page to read and to send.

    Without DATA the segments are described by the rows that the model was trained on. The page is
    one file, which loads nothing from the network: a summary, the size and traits of each segment
    with intervals, profiles, a map of the rows, which segments blur, and what to be careful about.

    \b
    Examples:
      pyro-gmvae report runs/customers
      pyro-gmvae report runs/customers --describe revenue --describe churn
      pyro-gmvae report runs/customers --selection runs/how-many
      pyro-gmvae report runs/customers new.csv -o march.html
      pyro-gmvae report runs/customers --format json
    """
    if data is None and image_size is not None:
        raise InputError("--image-size is for other data than the run's own: name DATA")
    from pyro_gmvae.report.support import support_of
    from pyro_gmvae.run_data import load_rows
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.describe import describe_columns
    from pyro_gmvae.tasks.report import format_of, own_report, report_run
    from pyro_gmvae_cli.show import tell_notes

    if output is not None:
        format_of(output, form)
    opened = load(run, device)
    path = own_report(run, form) if output is None else Path(output)
    support = support_of(run, opened, selection)
    rows = load_rows(
        opened, data, "train", data_dir=data_dir, download=download, image_size=image_size
    )
    if not quiet:
        tell_notes(rows)
    new = None if data is None else (data, rows)
    outcomes = describe_columns(opened, describe, new) if describe else None
    report = report_run(
        opened, rows, path, outcomes=outcomes, support=support, form=form, run=run, seed=seed
    )
    if as_json:
        say_json(report.to_dict())
    elif not quiet:
        _tell(report)
        say(f"The report is {path}.")


def _tell(report: Report) -> None:
    """Print a line for each segment."""
    for segment in report.explanation.segments:
        size = segment.size
        say(f"{segment.cluster:>4}  {size.share:6.1%}  {report.names[segment.cluster]}")
