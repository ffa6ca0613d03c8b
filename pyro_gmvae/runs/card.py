"""Write the model card of a run: what the model is, how to load it, and what it is good for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyro_gmvae.data import Schema
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs.contents import CARD, CARD_MARK, is_card
from pyro_gmvae.runs.recipe import shared_settings, train_command
from pyro_gmvae.visible import markdown_text

__all__ = ["card_of", "write_card"]

MOST_LEVELS = 12  # of a column that are named


def write_card(folder: Path, fitted: FittedModel, digest: str) -> None:
    """Write the card into a run folder, but not in place of a README that a user wrote.

    Args:
        folder: the folder of the run.
        fitted: the model.
        digest: the SHA-256 of the weights.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> with TemporaryDirectory() as folder:
    ...     write_card(Path(folder), fitted, digest="0" * 64)
    ...     is_card(Path(folder, CARD))
    True
    """
    path = folder / CARD
    if path.exists() and not is_card(path):
        return
    with written_whole(path) as partial:
        partial.write_text(card_of(fitted, digest), encoding="utf-8")


def card_of(fitted: FittedModel, digest: str) -> str:
    """Write the card.

    Args:
        fitted: the model.
        digest: the SHA-256 of the weights.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> card_of(fitted, digest="0" * 64).startswith(CARD_MARK)
    True
    """
    return "\n".join(_lines(fitted, digest)) + "\n"


def _lines(fitted: FittedModel, digest: str) -> Iterator[str]:
    gmvae, encoding, about = fitted.gmvae, fitted.encoding, fitted.about
    schema = encoding.schema
    yield CARD_MARK
    yield f"# Clusters of {markdown_text(about.name)}\n"
    yield (
        f"A Gaussian mixture VAE with {gmvae.n_components} clusters and a latent space of "
        f"{gmvae.latent_dim} dimension{'s' * (gmvae.latent_dim > 1)}, trained by the "
        f"{gmvae.method} method with the likelihood {gmvae.options['likelihood']}, on "
        f"{encoding.describe(encoding.event_shape)}. It was written by pyro-gmvae.\n"
    )
    yield "## How to load it\n"
    yield "Nothing is unpickled: the folder is data, not code.\n"
    yield "```python"
    yield "from pyro_gmvae import GMVAE\n"
    yield 'model = GMVAE.load("path/to/this/folder")'
    yield "model.n_components, model.n_features_in_"
    yield "```\n"
    yield "`model.predict(rows)` gives the cluster of new rows. On the command line:\n"
    yield "```bash"
    yield "pyro-gmvae predict path/to/this/folder new-rows -o clusters.csv"
    yield "pyro-gmvae report path/to/this/folder"
    yield "```\n"
    if schema is not None:
        yield "## Columns\n"
        yield from _columns(schema)
    if fitted.covariates is not None:
        yield "## Covariates\n"
        yield (
            "The cluster of a row depends on these columns too, which it is not made of. New rows "
            "need them, and in Python `model.predict(rows, covariates=columns)` takes them: "
            f"{', '.join(map(markdown_text, fitted.covariates.names))}.\n"
        )
    yield "## Training\n"
    yield from _training(fitted, digest)
    yield "## Figures\n"
    yield from _figures(fitted)
    yield "## Intended use\n"
    yield (
        "To group rows like those of training, to describe the groups, and to assign new rows "
        "with a probability. Segments are found, not given: a person should look at them before "
        "something is decided by them.\n"
    )
    yield "## Limits\n"
    yield "* It tells clusters of the training rows. It is no proof that there are such groups."
    yield "* Rows of another population get a cluster too, whether it suits them or not."
    yield "* Whoever has the file can learn what typical rows were like: it may hold personal data."
    yield "* It should not decide alone about people, such as on credit, work or health."


def _columns(schema: Schema) -> Iterator[str]:
    yield "| column | kind | gaps | levels |"
    yield "|---|---|---|---|"
    for name, column in zip(schema.shown_names, schema.columns, strict=True):
        levels = ", ".join(column.level_names[:MOST_LEVELS])
        more = len(column.levels) - MOST_LEVELS
        levels += f" and {more} more" if more > 0 else ""
        cells = (markdown_text(name), column.kind, f"{column.gaps:.1%}", markdown_text(levels))
        yield f"| {' | '.join(cells)} |"
    yield ""
    if schema.left_out:
        each = (
            f"{markdown_text(c.name)} ({markdown_text(c.why)})" if c.why else markdown_text(c.name)
            for c in schema.left_out
        )
        yield f"Left out: {', '.join(each)}.\n"


def _training(fitted: FittedModel, digest: str) -> Iterator[str]:
    about = fitted.about
    yield f"* Weights: SHA-256 {digest}"
    if about.fingerprint is not None:
        yield f"* Training rows: SHA-256 {about.fingerprint}"
    if about.streamed_rows is not None:
        yield (
            f"* It was trained on {about.streamed_rows:,} rows in stream. Columns, start and "
            "figures are of a uniform sample of them."
        )
    settings = shared_settings(about.settings or {})
    if settings.get("data") is not None:
        yield f"* Command: {markdown_text(train_command(settings))}"
    if about.sample is not None:
        yield f"* {about.sample.sentence}"
    if about.n_steps is not None:
        yield f"* Steps: {about.n_steps:,}"
    if about.stopped is not None:
        yield f"* It ended by: {about.stopped}"
    said = ", ".join(f"{name} {value}" for name, value in settings.items() if _is_set(value))
    if said:
        yield f"* Settings: {markdown_text(said)}"
    yield ""


def _figures(fitted: FittedModel) -> Iterator[str]:
    about, last = fitted.about, (fitted.history or [{}])[-1]
    if about.lower_bound is not None:
        yield f"* ELBO of the training rows: {about.lower_bound:.3f} nats per row"
    if "clusters_in_use" in last:
        used, k = last["clusters_in_use"], fitted.gmvae.n_components
        yield f"* Clusters in use at the end of the training: {used:.0f} of {k}"
    yield (
        "* The log-likelihood of held-out rows, with its standard error, is what "
        "`pyro-gmvae evaluate path/to/this/folder` prints.\n"
    )


def _is_set(value: Any) -> bool:
    return value not in (None, "", [], ())
