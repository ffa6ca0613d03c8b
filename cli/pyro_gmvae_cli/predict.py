"""Define ``pyro-gmvae predict``."""

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
    "--density",
    is_flag=True,
    help="Also write log p(x) and typicality, which takes about 75 times as long.",
)
@click.option(
    "--reject",
    type=options.Share(above_zero=True),
    metavar="SHARE",
    help="Put the rows that fit no cluster into cluster -1: this share of rows like those of "
    "training.",
)
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

    --density adds log_p, in nats, and typicality: the share of the rows that training held out
    which are less likely. --reject adds these, rejected_because and likeliest_cluster. A rejected
    row is "unlike" if no cluster explains it, and "torn" if it lies between clusters.

    \b
    Examples:
      pyro-gmvae predict runs/customers new.csv -o assignments.csv
      pyro-gmvae predict runs/customers new.csv -o assignments.csv --reject 0.05
      pyro-gmvae predict runs/photos more-photos -o - | head
    """
    to_stdout = options.to_standard_output(output, as_json)

    from pyro_gmvae.run_data import load_new_rows
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.output import check_name, table_output
    from pyro_gmvae.tasks.predict import calibrated, predict_run
    from pyro_gmvae_cli.show import tell_notes

    check_name(output)
    opened = load(run, device)
    rows = load_new_rows(opened, data, data_dir=data_dir, download=download, image_size=image_size)
    if not quiet:
        tell_notes(rows)
    with table_output(output) as write:
        if density or reject is not None:
            opened = calibrated(opened, data_dir=data_dir)
        table = predict_run(opened, rows, density=density or reject is not None, reject=reject)
        write(table)
    sizes = table["cluster"].value_counts().reindex(range(opened.gmvae.n_components), fill_value=0)
    rejected = int((table["cluster"] == -1).sum())
    if as_json:
        counts = {"rows": len(table), "cluster_sizes": sizes.tolist(), "rejected": rejected}
        say_json({"output": output} | counts)
    elif not quiet:
        used = int((sizes > 0).sum())
        where = "on standard output" if to_stdout else f"in {output}"
        say(f"Assigned {len(table) - rejected} rows to {used} clusters, {where}.", err=to_stdout)
        if reject is not None:
            unlike = int((table["rejected_because"] == "unlike").sum())
            reasons = f"{unlike} unlike all clusters, {rejected - unlike} torn between clusters"
            say(f"Rejected {rejected} rows: {reasons}.", err=to_stdout)
