"""Print figures as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from pyro_gmvae.visible import visible
from pyro_gmvae_cli.terminal import say, show

if TYPE_CHECKING:
    from pyro_gmvae.data import Dataset
    from pyro_gmvae.tasks.evaluate import Figures

__all__ = ["figures_table", "schema_table", "summary", "tell_all", "tell_notes"]


def summary(title: str, rows: Sequence[tuple[str, str, str]], *, err: bool = False) -> None:
    """Print a table of names, figures and what they mean."""
    table = Table(
        title=visible(title), title_justify="left", show_header=False, box=None, padding=(0, 2)
    )
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*row)
    show(table, err=err)


def figures_table(figures: Figures) -> None:
    """Print what `pyro_gmvae.tasks.evaluate.evaluate_run` found."""
    values = figures.values
    error = f" ± {_number(values['log_likelihood_se'])}"
    rows = [
        (
            "log-likelihood",
            _number(values["log_likelihood"]) + error,
            f"nats per row, {values['num_samples']} samples each",
        ),
        ("ELBO", _number(values["elbo"]), "nats per row, a lower bound"),
    ]
    if "bits_per_dim" in values:
        rows.append(("bits per dim", _number(values["bits_per_dim"]), "8 if nothing is known"))
    share = values["pareto_k_bad_fraction"]
    rows += [
        ("bad k-hat", f"{share:.1%}", "of rows; their log p(x) is too low"),
        ("clusters in use", f"{values['clusters_in_use']}", f"of {values['clusters']}"),
        ("H(y)", _number(values["entropy_y"]), "nats; high if all clusters are used"),
        ("H(y|x)", _number(values["entropy_y_given_x"]), "nats; 0 if every row is certain"),
        ("I(x;y)", _number(values["mutual_information"]), "nats; what clusters tell about rows"),
    ]
    if "accuracy" in values:
        rows += [
            ("accuracy", f"{values['accuracy']:.3f}", f"{values['n_labelled']} labelled rows"),
            ("purity", f"{values['purity']:.3f}", "1 if no cluster mixes classes"),
            ("NMI", f"{values['nmi']:.3f}", "1 is perfect, 0 unrelated"),
            ("ARI", f"{values['ari']:.3f}", "1 is perfect, 0 is chance"),
        ]
    summary(f"{values['data']}, {values['split']} rows ({values['n']})", rows)


def tell_notes(data: Dataset) -> None:
    """Print on standard error what was guessed when the data were read, a line for each guess."""
    tell_all(data.name, data.notes)


def tell_all(name: str, notes: Sequence[str]) -> None:
    """Print on standard error a line for each sentence about the data of this name."""
    for note in notes:
        say(f"{name}: {note}.", err=True)


def schema_table(data: Dataset, n_rows: int, *, most: int | None = None, err: bool = False) -> None:
    """Print the columns of a table: what they are taken for and why.

    Args:
        data: a table, or a part of one.
        n_rows: the number of rows of the whole table.
        most: how many columns are shown at most; None shows all, and those that are left out.
        err: whether to print on standard error.
    """
    schema = data.schema
    if schema is None:
        return
    title = f"{data.name}, {n_rows} rows, {len(schema)} columns"
    table = Table(title=visible(title), title_justify="left", box=None, padding=(0, 2))
    table.add_column("column", style="bold")
    table.add_column("kind")
    table.add_column("gaps", justify="right")
    table.add_column("weight", justify="right")
    table.add_column("because of", style="dim")
    names = schema.shown_names
    for name, column in list(zip(names, schema.columns, strict=True))[:most]:
        gaps = f"{column.gaps:.1%}" if column.gaps else ""
        weight = "" if column.weight == 1 else f"{column.weight:g}"
        table.add_row(visible(name), column.kind, gaps, weight, visible(column.why))
    for left_out in schema.left_out if most is None else ():
        table.add_row(visible(left_out.name), "left out", "", "", visible(left_out.why))
    show(table, err=err)
    if most is not None and len(schema) > most:
        say(f"and {len(schema) - most} more columns; the command schema shows all.", err=err)


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"
