"""Draw the pictures of a fitted model, by its kind of data."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pyro_gmvae.data import Dataset, Encoding, ImageEncoding, Splits, TableEncoding
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.plots import (
    plot_cluster_members,
    plot_cluster_profiles,
    plot_column_profiles,
    plot_grid,
    plot_history,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_clusters", "draw_reconstructions", "draw_samples", "pictures_of"]

DRAWN_ROWS = 10_000  # rows that a picture of clusters chooses its members from
PAIRS, COLUMNS = 4, 12  # pairs of rows, and columns, in a picture of reconstructions


def pictures_of(fitted: FittedModel, splits: Splits) -> dict[str, Figure]:
    """Draw all pictures that a run has, by name.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)))
    >>> sorted(pictures_of(fitted, load_splits("digits", seed=0)))  # there is no history
    ['clusters', 'reconstructions']
    """
    pictures = {"clusters": draw_clusters(fitted, splits.train)}
    if fitted.history:
        pictures["history"] = plot_history(fitted.history)
    return pictures | _more(fitted.encoding, fitted, splits)


def draw_clusters(fitted: FittedModel, data: Dataset) -> Figure:
    """Draw the clusters: members and means of images, profiles of a table.

    >>> from pyro_gmvae.data import load
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)))
    >>> draw_clusters(fitted, load("digits")).texts[0].get_text()
    'digits: 3 clusters, exact method'
    """
    # At even steps, for a table may be sorted.
    rows = data.subset(torch.arange(0, len(data), -(-len(data) // DRAWN_ROWS)))
    k, method = fitted.gmvae.n_components, fitted.gmvae.method
    return _clusters(fitted.encoding, fitted, rows, f"{data.name}: {k} clusters, {method} method")


@singledispatch
def _clusters(encoding: Encoding, fitted: FittedModel, data: Dataset, title: str) -> Figure:
    raise TypeError(f"clusters of {encoding.plural} cannot be drawn: register a function for them")


@_clusters.register(ImageEncoding)
def _members(encoding: ImageEncoding, fitted: FittedModel, data: Dataset, title: str) -> Figure:
    means = _scaled(encoding, fitted.means())
    q_y = fitted.responsibilities(data.x, data.w)
    x = _scaled(encoding, data.x)
    return plot_cluster_members(x, q_y, means, weights=data.weights, title=title)


@_clusters.register(TableEncoding)
def _profiles(encoding: TableEncoding, fitted: FittedModel, data: Dataset, title: str) -> Figure:
    q_y = fitted.responsibilities(data.x, data.w)
    if encoding.mixed is not None:
        return plot_column_profiles(encoding.schema, data.x, q_y, weights=data.weights, title=title)
    return plot_cluster_profiles(
        _scaled(encoding, data.x),
        q_y,
        weights=data.weights,
        feature_names=encoding.feature_names,
        title=title,
    )


@singledispatch
def _more(encoding: Encoding, fitted: FittedModel, splits: Splits) -> dict[str, Figure]:
    return {}


@_more.register(ImageEncoding)
def _reconstructions(
    encoding: ImageEncoding, fitted: FittedModel, splits: Splits
) -> dict[str, Figure]:
    shown = splits.test if len(splits.test) else splits.train
    return {"reconstructions": draw_reconstructions(fitted, shown)}


def draw_reconstructions(fitted: FittedModel, data: Dataset, *, seed: int = 0) -> Figure:
    """Draw images chosen at random, each above its reconstruction.

    >>> from pyro_gmvae.data import load
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)))
    >>> draw_reconstructions(fitted, load("digits")).texts[0].get_text()
    'digits: reconstructions, exact method'
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    some = data.subset(order[: PAIRS * COLUMNS])
    chosen = some.x
    seen = _scaled(fitted.encoding, chosen)
    made = _scaled(fitted.encoding, fitted.reconstruct(chosen, some.w))
    rows = []
    for start in range(0, len(chosen), COLUMNS):
        for images in (seen, made):
            row = images.new_full((COLUMNS, *images.shape[1:]), torch.nan)
            part = images[start : start + COLUMNS]
            row[: len(part)] = part
            rows.append(row)
    names = ["data", "model"] * (len(rows) // 2)
    title = f"{data.name}: reconstructions, {fitted.gmvae.method} method"
    return plot_grid(torch.stack(rows), names, title=title)


def draw_samples(fitted: FittedModel, per_cluster: int, *, seed: int = 0) -> Figure:
    """Draw images from each cluster, one row for each cluster.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)))
    >>> figure = draw_samples(fitted, per_cluster=2)
    >>> [text.get_text() for text in figure.axes[0].texts]  # a row for each cluster
    ['0', '1', '2']
    """
    k = fitted.gmvae.n_components
    y = torch.arange(k).repeat_interleave(per_cluster)
    x, _ = fitted.sample(len(y), clusters=y, mean=True, seed=seed)
    images = _scaled(fitted.encoding, x)
    return plot_grid(images.unflatten(0, (k, per_cluster)), [str(i) for i in range(k)])


@torch.no_grad()
def _scaled(encoding: Encoding, raw: Tensor) -> Tensor:
    """Bring raw rows to the scale of pictures, on the CPU."""
    return encoding.scaled(raw.to(encoding.scale.device)).cpu()
