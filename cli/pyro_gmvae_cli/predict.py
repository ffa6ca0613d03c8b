"""Define ``pyro-gmvae predict``."""

from __future__ import annotations

import json

import click

from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command


@click.command(cls=Command)
@options.run_argument
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="FILE", help="The .csv file to write.")
@options.device
@options.data_of_run
@options.quiet
@options.json_output
def command(
    run: str,
    data: str,
    output: str,
    device: str,
    data_dir: str | None,
    image_size: int | None,
    download: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Assign each row of DATA to a cluster of the model in the folder RUN.

    DATA is a built-in name, a file or a folder of images. The .csv file has the columns row
    (counted from 0), file (for a folder of images), cluster, and probability.

    \b
    Examples:
      pyro-gmvae predict runs/customers new.csv -o assignments.csv
      pyro-gmvae predict runs/photos more-photos -o assignments.csv
    """
    from pyro_gmvae.files import written_whole
    from pyro_gmvae.run_data import load_new_rows
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.predict import predict_run
    from pyro_gmvae_cli.show import tell_notes

    opened = load(run, device)
    rows = load_new_rows(opened, data, data_dir=data_dir, download=download, image_size=image_size)
    if not quiet:
        tell_notes(rows)
    with written_whole(output) as partial:
        table = predict_run(opened, rows)
        table.to_csv(partial, index=False)
    sizes = table["cluster"].value_counts().reindex(range(opened.gmvae.n_components), fill_value=0)
    if as_json:
        figures = {"output": output, "rows": len(table), "cluster_sizes": sizes.tolist()}
        click.echo(json.dumps(figures))
    elif not quiet:
        used = int((sizes > 0).sum())
        click.echo(f"Assigned {len(table)} rows to {used} clusters, in {output}.")
