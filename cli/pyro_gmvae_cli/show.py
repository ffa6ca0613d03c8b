"""Print figures as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pyro_gmvae.data import Dataset
    from pyro_gmvae.tasks.evaluate import Figures

__all__ = ["figures_table", "say", "tell_notes", "warn"]


def say(message: str) -> None:
    """Print a line on standard output."""
    click.echo(message)


def figures_table(figures: Figures) -> None:
    """Print what `pyro_gmvae.tasks.evaluate.evaluate_run` found."""
    values = figures.values
    title = f"{values['data']}, {values['split']} rows ({values['n']})"
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    error = f" ± {_number(values['log_likelihood_se'])}"
    table.add_row(
        "log-likelihood",
        _number(values["log_likelihood"]) + error,
        f"nats per row, {values['num_samples']} samples each",
    )
    table.add_row("ELBO", _number(values["elbo"]), "nats per row, a lower bound")
    if "bits_per_dim" in values:
        table.add_row("bits per dim", _number(values["bits_per_dim"]), "8 if nothing is known")
    share = values["pareto_k_bad_fraction"]
    table.add_row("bad k-hat", f"{share:.1%}", "of rows; their log p(x) is too low")
    table.add_row("clusters in use", f"{values['clusters_in_use']}", f"of {values['clusters']}")
    table.add_row("H(y)", _number(values["entropy_y"]), "nats; high if all clusters are used")
    table.add_row("H(y|x)", _number(values["entropy_y_given_x"]), "nats; 0 if every row is certain")
    table.add_row(
        "I(x;y)",
        _number(values["mutual_information"]),
        "nats; what clusters tell about rows",
    )
    if "accuracy" in values:
        labelled = f"{values['n_labelled']} labelled rows"
        table.add_row("accuracy", f"{values['accuracy']:.3f}", f"{labelled}")
        table.add_row("NMI", f"{values['nmi']:.3f}", "1 is perfect, 0 unrelated")
        table.add_row("ARI", f"{values['ari']:.3f}", "1 is perfect, 0 is chance")
    Console().print(table)


def tell_notes(data: Dataset) -> None:
    """Print on standard error what was guessed when the data were read, a line for each guess."""
    for note in data.notes:
        click.echo(f"{data.name}: {note}.", err=True)


def warn(message: str | None) -> None:
    """Print a warning on standard error, if there is one."""
    if message is not None:
        Console(stderr=True).print(f"[yellow]Warning:[/] {message}", highlight=False)


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"
