"""Define ``pyro-gmvae train``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.settings import Settings, locate
from pyro_gmvae_cli import options
from pyro_gmvae_cli.errors import Command, training_errors
from pyro_gmvae_cli.options import GroupedOption
from pyro_gmvae_cli.settings import given_settings, named_settings, training_settings
from pyro_gmvae_cli.terminal import command_line, say, say_json, warn

if TYPE_CHECKING:
    from pyro_gmvae.data import Splits
    from pyro_gmvae.tasks.train import Trained

PICTURE = "clusters.png"
SHOWN_COLUMNS = 40


@click.command(cls=Command)
@click.argument("data", callback=lambda ctx, param, value: locate(value))
@click.option(
    "--out",
    required=True,
    metavar="RUN",
    cls=GroupedOption,
    section="First steps",
    help="Folder to write the run to.",
)
@training_settings()
@click.option(
    "--overwrite",
    is_flag=True,
    cls=GroupedOption,
    section="First steps",
    help="Replace the run that is in --out.",
)
@click.option("--resume", is_flag=True, help="Continue the training in --out.")
@click.option(
    "--report/--no-report",
    default=None,
    cls=GroupedOption,
    section="Output",
    help="Write a report of the segments to --out.  [default: for tables]",
)
@options.download
@options.quiet
@options.json_output
@click.pass_context
def command(
    ctx: click.Context,
    data: str,
    out: str,
    overwrite: bool,
    resume: bool,
    report: bool | None,
    download: bool,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Train a model on DATA and write it to a folder.

    DATA is digits, mnist, fashion-mnist, cifar10, cifar100 (its 20 superclasses) or cifar100-fine
    (its 100 classes); a table (.csv, .tsv, .json, .parquet, .feather, .xlsx, a folder of .parquet
    files, or - for text on standard input); a .npy or .npz file (keys x and, if known, y); or a
    folder of images, with a subfolder for each class if the classes are known. Labels in DATA are
    for the evaluation only. Write ./mnist for a folder that has the name of a built-in set.

    \b
    Examples:
      pyro-gmvae train digits --clusters 10 --out runs/digits
      pyro-gmvae train customers.csv --clusters 5 --out runs/customers
      pyro-gmvae train photos --image-size 64 --augment flip --out runs/photos
      pyro-gmvae train digits --out runs/digits --resume
    """
    if overwrite and resume:
        raise InputError("--overwrite and --resume exclude one another: choose one")
    if resume:
        from pyro_gmvae.runs import read_training

        given = {"data": data, **given_settings(ctx)}
        settings = read_training(Path(out))[0].resumed_with(given)
    else:
        settings = Settings.of(data, **named_settings(values))

    from pyro_gmvae.tasks.train import train_run
    from pyro_gmvae.training import ProgressBar, TrainingInterrupted
    from pyro_gmvae_cli.show import schema_table, tell_notes

    def tell(splits: Splits) -> None:
        tell_notes(splits.train)
        schema_table(splits.train, splits.n_rows, most=SHOWN_COLUMNS, err=True)

    def how_to_go_on(error: KeyboardInterrupt) -> str:
        # `train_run` notes at an error that there is a checkpoint.
        has_checkpoint = isinstance(error, TrainingInterrupted) or hasattr(error, "__notes__")
        if resume or has_checkpoint:
            again = command_line(["pyro-gmvae", "train", data, "--out", out, "--resume"])
            return f"Continue it with: {again}"
        return "There is no checkpoint yet: the same command begins anew."

    with training_errors(how_to_go_on):
        trained = train_run(
            settings,
            out,
            overwrite=overwrite,
            resume=resume,
            download=download,
            report=report,
            reporters=[] if quiet else [ProgressBar()],
            on_data=None if quiet else tell,
        )
    if trained.is_main and (as_json or not quiet):
        _report(trained, out, as_json)


def _report(trained: Trained, out: str, as_json: bool) -> None:
    """Print the figures on held-out rows, and where the run and its picture are."""
    from pyro_gmvae.tasks.evaluate import evaluate_run
    from pyro_gmvae_cli.show import figures_table

    splits, fitted = trained.splits, trained.fitted
    part = next(p for p in ("test", "validation", "train") if len(getattr(splits, p)))
    figures = evaluate_run(fitted, getattr(splits, part), part=part)
    if as_json:
        sample = {} if fitted.about.sample is None else {"sample": asdict(fitted.about.sample)}
        say_json({"run": out, **figures.values, **sample})
        return
    best = fitted.about.best_epoch
    at_best = "" if best is None else f", best at epoch {best:.0f}"
    say(f"Trained {len(fitted.history)} epochs{at_best}.")
    figures_table(figures)
    warn(figures.warning)
    if fitted.about.sample is not None:
        shares = ", ".join(f"{share:.1%}" for share in fitted.about.sample.shares)
        say(fitted.about.sample.sentence)
        say(f"The rows that were not drawn are in the clusters by these shares: {shares}.")
    say(f"Model and metrics are in {out}, the picture of its clusters is {Path(out, PICTURE)}.")
    if trained.report is not None:
        say(f"What the segments are is in {trained.report}.")
