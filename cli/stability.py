"""`pyro-gmvae stability`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from pyro_gmvae.errors import InputError

from . import options
from .errors import Command

if TYPE_CHECKING:
    from pyro_gmvae.evaluation import Stability


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--data", metavar="DATA", help="Rows to compare them on.  [default: the first's own]")
@click.option("-o", "--output", metavar="FILE", help="Write the clusters that they agree on.")
@options.seed
@options.device
@options.data_dir(None)
@options.image_size
@options.download
@options.quiet
@options.json_output
def command(
    runs: tuple[str, ...],
    data: str | None,
    output: str | None,
    seed: int,
    device: str,
    data_dir: str | None,
    image_size: int | None,
    download: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say whether several runs tell the same story of the same rows.

    Train them with different seeds, methods or numbers of clusters. Clusters are matched by the
    rows they share, whatever their numbers; no labels are used.

    \b
    Examples:
      pyro-gmvae stability runs/seed0 runs/seed1 runs/seed2
      pyro-gmvae stability runs/* -o agreed.csv
    """
    if len(runs) < 2:
        raise InputError("one run cannot be compared with itself: name two or more")

    from pyro_gmvae.files import written_whole
    from pyro_gmvae.tasks.data import data_for, own_data, settings_of
    from pyro_gmvae.tasks.open import open_run
    from pyro_gmvae.tasks.stability import agreed_clusters, compare_runs

    opened = [open_run(run, device) for run in runs]
    source = data or settings_of(opened[0]).data
    where = data_dir or (None if data else settings_of(opened[0]).data_dir)
    if data is None:
        # Refused, if these have changed since; read below in the order of the source.
        own_data(opened[0], "all", data_dir=where, download=download)
    rows = [
        data_for(run, source, data_dir=where, download=download, image_size=image_size)
        for run in opened
    ]
    report = compare_runs(opened, rows, seed=seed)
    if output is not None:
        with written_whole(output) as partial:
            agreed_clusters(report, rows[0]).to_csv(partial, index=False)
    if as_json:
        click.echo(json.dumps({"runs": list(runs), "data": rows[0].name, **report.to_dict()}))
    elif not quiet:
        _show(report, rows[0].name)
        if output is not None:
            click.echo(f"The clusters that they agree on are in {output}.")


def _show(report: Stability, name: str) -> None:
    from rich.console import Console
    from rich.table import Table

    figures = report.to_dict()
    console = Console()
    title = f"{figures['clusterings']} runs on {name} ({figures['n']} rows)"
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("ARI between runs", f"{figures['mean_ari']:.3f}", "mean; 1 is the same, 0 chance")
    table.add_row("", f"{figures['min_ari']:.3f}", "of the two that differ most")
    table.add_row("rows all agree on", f"{figures['certain']:.1%}", "same cluster in every run")
    alive = figures["alive"]
    span = f"{min(alive)}" if min(alive) == max(alive) else f"{min(alive)} to {max(alive)}"
    table.add_row("clusters with rows", span, "in each run")
    console.print(table)
    clusters = Table(box=None, padding=(0, 2))
    for heading in ("cluster", "rows", "Jaccard"):
        clusters.add_column(heading, justify="right")
    clusters.add_column("")
    for each in figures["clusters"]:
        clusters.add_row(
            str(each["cluster"]), str(each["size"]), f"{each['jaccard']:.2f}", each["verdict"]
        )
    console.print(clusters)
