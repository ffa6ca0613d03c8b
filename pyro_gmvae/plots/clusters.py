"""Draw who is in each cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pyro_gmvae.plots.grid import plot_grid
from pyro_gmvae.plots.rows import share, shown_clusters
from pyro_gmvae.plots.style import MUTED, drawable, font_set

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_cluster_members", "plot_cluster_profiles"]

MAX_NAMES = 60  # most columns whose names are written out


def plot_cluster_members(
    x: Float[Tensor, "N C H W"],
    responsibilities: Float[Tensor, "N K"],
    means: Float[Tensor, "K C H W"] | None = None,
    *,
    weights: Float[Tensor, " N"] | None = None,
    title: str | None = None,
    n_confident: int = 8,
    n_random: int = 8,
    seed: int = 0,
) -> Figure:
    """Draw who is in each cluster of images, one row for each cluster.

    A row shows the cluster's share of the data, its decoded mean, its surest members, and some
    members at random, which are the honest ones.

    Args:
        x: images ``(N, C, H, W)`` in [0, 1].
        responsibilities: q(y|x).
        means: the decoded mean of each cluster.
        weights: how much each row counts in the shares; None if all count alike.
        title: above the picture.
        n_confident: surest members shown of each cluster.
        n_random: members shown at random.
        seed: of the random choice.

    >>> images, clusters = torch.rand(6, 1, 4, 4), torch.eye(2)[[0, 0, 0, 1, 1, 1]]
    >>> figure = plot_cluster_members(images, clusters, title="Digits")
    >>> [text.get_text() for text in figure.axes[0].texts][:2]  # the first cluster and its share
    ['0', '50.0%']
    """
    shares, shown, title = shown_clusters(responsibilities, title, weights)
    blocks = [] if means is None else [means[shown].unsqueeze(1)]
    blocks += _members(x, responsibilities, shown, n_confident, n_random, seed)
    heads = ([] if means is None else ["mean"]) + ["surest members", "random members"]
    labels = [f"{k}" for k in shown.tolist()]
    notes = [share(float(shares[k])) for k in shown]
    kept = [i for i, block in enumerate(blocks) if block.shape[1]]
    return plot_grid(
        [blocks[i] for i in kept], labels, notes=notes, heads=[heads[i] for i in kept], title=title
    )


def plot_cluster_profiles(
    x: Float[Tensor, "N D"],
    responsibilities: Float[Tensor, "N K"],
    *,
    weights: Float[Tensor, " N"] | None = None,
    feature_names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a heat map of the mean of each cluster's members in each column of a table.

    Args:
        x: a standardised table ``(N, D)``.
        responsibilities: q(y|x).
        weights: how much each row counts; None if all count alike.
        feature_names: names of the columns.
        title: above the picture.

    >>> clusters = torch.eye(2)[[0, 0, 1, 1]]
    >>> figure = plot_cluster_profiles(torch.zeros(4, 3), clusters, title="Customers")
    >>> figure.axes[0].get_title(loc="left")
    'Customers'
    """
    shares, shown, title = shown_clusters(responsibilities, title, weights)
    mass = torch.ones(len(x)) if weights is None else weights
    clusters = responsibilities.argmax(-1)
    means = torch.stack([_mean(x[clusters == k], mass[clusters == k]) for k in shown.tolist()])
    return _heat_map(means.numpy(), shares, shown, feature_names, title)


def _mean(x: Float[Tensor, "n D"], mass: Float[Tensor, " n"]) -> Float[Tensor, " D"]:
    """Return the mean of each column of rows that count by their mass, gaps left out."""
    counted = mass.to(x).unsqueeze(-1) * ~x.isnan()
    return (counted * x.nan_to_num()).sum(0) / counted.sum(0)


def _members(
    x: Tensor, q: Tensor, shown: Tensor, n_confident: int, n_random: int, seed: int
) -> list[Tensor]:
    """Select images ``(rows, n, C, H, W)`` of the surest and of random members, NaN for none."""
    generator = torch.Generator().manual_seed(seed)
    clusters = q.argmax(-1)
    surest = x.new_full((len(shown), n_confident, *x.shape[1:]), float("nan"))
    random = x.new_full((len(shown), n_random, *x.shape[1:]), float("nan"))
    for row, k in enumerate(shown.tolist()):
        members = (clusters == k).nonzero().squeeze(-1)
        best = members[q[members, k].argsort(descending=True, stable=True)[:n_confident]]
        surest[row, : len(best)] = x[best]
        others = members[torch.randperm(len(members), generator=generator)[:n_random]]
        random[row, : len(others)] = x[others]
    return [surest, random]


def _heat_map(
    means: np.ndarray,
    shares: Float[Tensor, " K"],
    shown: Int[Tensor, " rows"],
    feature_names: Sequence[str] | None,
    title: str | None,
) -> Figure:
    """Draw the mean of each cluster's members in each column, in standard deviations."""
    from matplotlib.figure import Figure

    rows, columns = means.shape
    used = shares[shown].numpy() > 0
    limit = float(np.nan_to_num(np.abs(means[used])).max()) or 1.0
    with font_set():
        named = columns <= MAX_NAMES
        cell = 0.5 if columns <= 16 else max(0.06, min(0.22, 12 / columns))
        size = (max(4.5, 2.4 + cell * columns), 1.6 + 0.32 * rows + 0.5 * named)
        figure = Figure(figsize=size, dpi=150, layout="constrained", facecolor="white")
        axes = figure.subplots()
        drawn = axes.imshow(
            means, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
        )
        for i in np.flatnonzero(~used).tolist():
            axes.text((columns - 1) / 2, i, "empty", ha="center", va="center", color=MUTED)
        if columns <= 16:
            for i, j in np.argwhere(np.isfinite(means)):
                ink = "white" if abs(means[i, j]) > 0.6 * limit else "#111827"
                axes.text(j, i, f"{means[i, j]:z.1f}", ha="center", va="center", size=7, color=ink)
        notes = [share(float(shares[k])) for k in shown]
        axes.set_yticks(
            range(rows), [f"{k}   {s:>6}" for k, s in zip(shown.tolist(), notes, strict=True)]
        )
        if named:
            names = feature_names or [f"column {i}" for i in range(columns)]
            axes.set_xticks(range(columns), list(map(drawable, names)), rotation=45, ha="right")
        else:
            axes.set_xlabel(f"{columns} columns", color=MUTED)
            axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1 if columns <= MAX_NAMES else 0)
        axes.tick_params(which="minor", length=0)
        bar = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, colors=MUTED)
        bar.set_label("mean, standard deviations", color=MUTED)
        if title:
            axes.set_title(drawable(title), loc="left", weight="bold", size=11)
    return figure
