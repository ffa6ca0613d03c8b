"""Define ``pyro-gmvae predict``."""

from __future__ import annotations

from pathlib import Path

import click

from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command
from pyro_gmvae_cli.terminal import say, say_json


@click.command(cls=Command)
@options.run_argument
@click.argument("data")
@options.table_output
@click.option(
    "--density",
    is_flag=True,
    help="Also write log p(x) and typicality, which takes about 75 times as long.",
)
@options.reject
@options.device
@options.data_of_run
@options.quiet
@options.json_output
def command(
    run: str,
    data: str,
    output: str,
    density: bool,
    reject: float | None,
    device: str,
    data_dir: str | None,
    image_size: int | None,
    download: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Assign each row of DATA to a cluster of the model in the folder RUN.

    DATA is a built-in name, a file or a folder of images. The output has the columns row (counted
    from 0), file (for a folder of images), cluster, probability, second_cluster, and
    second_probability. In a .csv an apostrophe comes before a file's name that a spreadsheet would
    take for a formula.

    A Parquet table or a text of more than 32 MiB is read and written in pieces, in memory that does
    not grow with its rows. An output that ends with / is a folder of .parquet parts: if the command
    is stopped, the same command keeps the parts that are there, and writes the rest.

    --density adds log_p, in nats, and typicality: the share of the rows that training held out
    which are less likely. --reject adds these, rejected_because and likeliest_cluster. A rejected
    row is "unlike" if no cluster explains it, and "torn" if it lies between clusters.

    \b
    Examples:
      pyro-gmvae predict runs/customers new.csv -o assignments.csv
      pyro-gmvae predict runs/customers new.csv -o assignments.csv --reject 0.05
      pyro-gmvae predict runs/customers warehouse/customers -o assigned/
      pyro-gmvae predict runs/photos more-photos -o - | head
    """
    to_stdout = options.to_standard_output(output, as_json)

    from pyro_gmvae.run_data import load_new_rows
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.large import is_large
    from pyro_gmvae.tasks.output import check_name, table_output
    from pyro_gmvae.tasks.parts import is_parts_folder
    from pyro_gmvae.tasks.pieces import Tally, notes_of, place_in_pieces, require_pieces
    from pyro_gmvae.tasks.predict import calibrated, predict_run
    from pyro_gmvae_cli.show import tell_all, tell_notes

    in_parts = is_parts_folder(output)
    if not in_parts:
        check_name(output)
    opened = load(run, device)
    if in_parts:
        require_pieces(opened, data)
    densely = density or reject is not None
    if in_parts or is_large(opened, data):
        if not quiet:
            tell_all(Path(data).stem, notes_of(opened, data))
        if densely:
            opened = calibrated(opened, data_dir=data_dir)
        tally = place_in_pieces(opened, run, data, output, density=densely, reject=reject)
    else:
        rows = load_new_rows(
            opened, data, data_dir=data_dir, download=download, image_size=image_size
        )
        if not quiet:
            tell_notes(rows)
        with table_output(output) as write:
            if densely:
                opened = calibrated(opened, data_dir=data_dir)
            table = predict_run(opened, rows, density=densely, reject=reject)
            write(table)
        tally = Tally((0,) * opened.gmvae.n_components).plus(table)
    if as_json:
        counts = {"rows": tally.rows, "cluster_sizes": tally.sizes, "rejected": tally.rejected}
        say_json({"output": output} | counts)
    elif not quiet:
        used = sum(size > 0 for size in tally.sizes)
        where = "on standard output" if to_stdout else f"in {output}"
        placed = tally.rows - tally.rejected
        say(f"Assigned {placed} rows to {used} clusters, {where}.", err=to_stdout)
        if reject is not None:
            reasons = f"{tally.unlike} unlike all clusters, {tally.torn} torn between clusters"
            say(f"Rejected {tally.rejected} rows: {reasons}.", err=to_stdout)
