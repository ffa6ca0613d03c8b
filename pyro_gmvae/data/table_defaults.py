"""Say what trains a table well, by its kinds of columns and its number of rows."""

from __future__ import annotations

from dataclasses import replace

from pyro_gmvae.data.encoding import KindDefaults

__all__ = ["TABLE_DEFAULTS", "defaults_of_laws"]

FEW_ROWS = 1_000  # with fewer, a training is short
MANY_ROWS = 10_000  # with as many, there is a larger style, larger layers and smaller steps
MANY_MORE_ROWS = 1_000_000  # with as many, steps are larger, and may be fewer than rows are

TABLE_DEFAULTS = KindDefaults(
    learning_rate=3e-3,
    latent_dim=10,
    hidden=(128, 128),
    epoch_steps=10,
    anneals_found_clusters=False,
    start_steps=250,
    tolerates_bfloat16=False,
)

_LAWS = replace(TABLE_DEFAULTS, learning_rate_schedule="cosine", batch=256)


def defaults_of_laws(n_rows: int, *, mixed: bool) -> KindDefaults:
    """Return the defaults of a table whose clusters have laws of their own.

    Such a training begins at a mixture. It counts steps in place of epochs.

    Args:
        n_rows: training rows.
        mixed: whether it has mixed columns. A mixture of Gaussians of numbers alone knows all
            about few rows that a style can learn, so that these need fewer steps.

    >>> [defaults_of_laws(n, mixed=True).total_steps for n in (500, 5_000, 50_000, 5_000_000)]
    [500, 1000, 3000, 10000]
    """
    if n_rows >= MANY_MORE_ROWS:
        many = replace(_LAWS, latent_dim=6, batch=1_024)
        return replace(many, total_steps=10_000, fewest_epochs=1)
    if n_rows >= MANY_ROWS:
        return replace(_LAWS, latent_dim=6, total_steps=3_000)
    few = n_rows < FEW_ROWS
    small = replace(_LAWS, latent_dim=2, hidden=(64, 64))
    if mixed:
        return replace(small, learning_rate=1e-2, total_steps=500 if few else 1_000)
    return replace(small, learning_rate=5e-3, total_steps=100 if few else 300)
