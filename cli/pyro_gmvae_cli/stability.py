"""Define ``pyro-gmvae stability``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pyro_gmvae.errors import InputError
from pyro_gmvae.ranges import MOST_TRAININGS
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command, training_errors
from pyro_gmvae_cli.terminal import say, say_json, show

if TYPE_CHECKING:
    from pyro_gmvae.evaluation import ClusterStability, Stability
    from pyro_gmvae.training import Reporter


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option(
    "--data", metavar="DATA", help="Rows to compare the runs on.  [default: those of the first run]"
)
@click.option(
    "--resamples",
    type=click.IntRange(1, MOST_TRAININGS),
    metavar="R",
    help="Train a single run anew R times, on halves of its training rows.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The .csv, .csv.gz or .parquet file to write the agreed clusters to, or - for .csv on"
    " standard output.",
)
@options.seed
@options.device
@options.data_of_run
@options.quiet
@options.json_output
def command(
    runs: tuple[str, ...],
    data: str | None,
    resamples: int | None,
    output: str | None,
    seed: int,
    device: str,
    data_dir: str | None,
    image_size: int | None,
    download: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure how far several runs find the same clusters in the same rows.

    The runs may have different seeds, methods or numbers of clusters. Clusters are matched by the
    rows they share, whatever their numbers; no labels are used.

    With --resamples, measure whether the clusters of one run come back when it is trained on other
    rows. Each of its clusters is compared with the most similar one of every new training. The
    figures are kept in RUN, and `report` shows them.

    \b
    Examples:
      pyro-gmvae stability runs/seed0 runs/seed1 runs/seed2
      pyro-gmvae stability runs/* -o agreed.csv
      pyro-gmvae stability runs/seed0 --resamples 5
    """
    if resamples is not None:
        if len(runs) > 1:
            raise InputError("--resamples is for a single run: name only one")
        for name, value in {"--data": data, "--output": output, "--image-size": image_size}.items():
            if value is not None:
                raise InputError(f"{name} is for several runs, not for --resamples: leave it out")
    elif len(runs) < 2:
        raise InputError(
            "one run cannot be compared with itself: name two or more, or use --resamples"
        )

    to_stdout = options.to_standard_output(output, as_json)

    from pyro_gmvae.run_data import load_rows_for_each, load_run_splits
    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.output import check_name, table_output
    from pyro_gmvae.tasks.stability import (
        agreed_clusters,
        compare_runs,
        keep_resampled,
        resampled,
    )

    if resamples is not None:
        opened = load(runs[0], device)
        splits = load_run_splits(opened, data_dir=data_dir, download=download, with_known=True)
        with training_errors(lambda error: "Nothing is kept: the same command begins anew."):
            found = resampled(
                opened,
                splits,
                resamples,
                seed=seed,
                device=device,
                reporters=lambda n: [] if quiet else _progress(n, resamples),
            )
        keep_resampled(runs[0], found)
        if as_json:
            say_json({"run": runs[0], "data": splits.train.name, **found.to_dict()})
        elif not quiet:
            _show_resampled(found, splits.train.name)
        return
    if output is not None:
        check_name(output)
    several = [load(run, device) for run in runs]
    rows = load_rows_for_each(
        several, data, data_dir=data_dir, download=download, image_size=image_size
    )
    report = compare_runs(several, rows)
    if output is not None:
        with table_output(output) as write:
            write(agreed_clusters(report, rows[0]))
    if as_json:
        say_json({"runs": list(runs), "data": rows[0].name, **report.to_dict()})
    elif not quiet:
        _show(report, rows[0].name, err=to_stdout)
        if output is not None and not to_stdout:
            say(f"The clusters that the runs agree on are in {output}.")


def _progress(resample: int, resamples: int) -> list[Reporter]:
    from pyro_gmvae.training import ProgressBar

    say(f"resample {resample + 1} of {resamples}", err=True)
    return [ProgressBar()]


def _show(report: Stability, name: str, *, err: bool) -> None:
    figures = report.to_dict()
    alive = figures["alive"]
    span = f"{min(alive)}" if min(alive) == max(alive) else f"{min(alive)} to {max(alive)}"
    _tables(
        f"{figures['clusterings']} runs on {name} ({figures['n']} rows)",
        [
            ("ARI between runs", f"{figures['mean_ari']:.3f}", "mean; 1 is the same, 0 chance"),
            ("", f"{figures['min_ari']:.3f}", "of the two that differ most"),
            ("rows all agree on", f"{figures['certain']:.1%}", "same cluster in every run"),
            ("clusters with rows", span, "in each run"),
        ],
        figures["clusters"],
        err=err,
    )


def _show_resampled(found: ClusterStability, name: str) -> None:
    figures = found.to_dict()
    _tables(
        f"{figures['resamples']} trainings on halves of {name} ({figures['n']} rows)",
        [
            ("ARI with the run", f"{figures['mean_ari']:.3f}", "mean; 1 is the same, 0 chance"),
            ("", f"{figures['min_ari']:.3f}", "of the one that differs most"),
        ],
        figures["clusters"],
    )


def _tables(
    title: str,
    figures: list[tuple[str, str, str]],
    clusters: list[dict[str, Any]],
    *,
    err: bool = False,
) -> None:
    """Print the figures, and a row for each cluster."""
    from rich.table import Table

    from pyro_gmvae_cli.show import summary

    summary(title, figures, err=err)
    rows = Table(box=None, padding=(0, 2))
    for heading in ("cluster", "rows", "Jaccard"):
        rows.add_column(heading, justify="right")
    rows.add_column("")
    for each in clusters:
        rows.add_row(
            str(each["cluster"]), f"{each['size']:g}", f"{each['jaccard']:.2f}", each["verdict"]
        )
    show(rows, err=err)
