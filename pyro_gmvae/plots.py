"""Pictures of clusters and of trainings.

Every function returns a matplotlib `Figure` of its own, made without pyplot: no window, no global
state, no backend to choose. Matplotlib is imported when the first picture is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_clusters", "plot_grid", "plot_history"]

MAX_ROWS = 40  # clusters in one picture; of more, the largest
MAX_NAMES = 60  # columns whose names are written out
MUTED, ACCENT, SECOND = "#6b7280", "#2563eb", "#d97706"
FONT: Any = {"font.family": "sans-serif", "font.size": 9, "axes.edgecolor": "#9ca3af"}


def plot_clusters(
    x: Float[Tensor, "N *event"],
    responsibilities: Float[Tensor, "N K"],
    means: Float[Tensor, "K *event"] | None = None,
    *,
    feature_names: Sequence[str] | None = None,
    title: str | None = None,
    n_confident: int = 8,
    n_random: int = 8,
    seed: int = 0,
) -> Figure:
    """Who is in each cluster.

    Images are shown in rows, one for each cluster: its share of the data, its decoded mean, its
    surest members, and some at random (which are the honest ones). A table becomes a heat map of
    the mean of each cluster's members.

    Args:
        x: images ``(N, C, H, W)`` in [0, 1], or a standardised table ``(N, D)``.
        responsibilities: q(y|x).
        means: the decoded mean of each cluster, for images.
        feature_names: of a table's columns.
        title: above the picture.
        n_confident: surest members shown of each cluster.
        n_random: members shown at random.
        seed: of the random choice.
    """
    clusters = responsibilities.argmax(-1)
    sizes = clusters.bincount(minlength=responsibilities.shape[-1])
    # The largest ones if there are too many, still in the order of their numbers.
    shown = sizes.argsort(descending=True, stable=True)[:MAX_ROWS].sort().values
    if len(shown) < len(sizes):
        title = f"{title or 'Clusters'} (the {MAX_ROWS} largest)"
    if x.ndim != 4:
        return _heat_map(x, clusters, sizes, shown, feature_names, title)
    blocks = [] if means is None else [means[shown].unsqueeze(1)]
    blocks += _members(x, responsibilities, shown, n_confident, n_random, seed)
    heads = ([] if means is None else ["mean"]) + ["surest members", "random members"]
    labels = [f"{k}" for k in shown.tolist()]
    notes = [_share(int(sizes[k]), len(x)) for k in shown]
    kept = [i for i, block in enumerate(blocks) if block.shape[1]]
    return plot_grid(
        [blocks[i] for i in kept], labels, notes=notes, heads=[heads[i] for i in kept], title=title
    )


def plot_grid(
    images: Float[Tensor, "rows columns C H W"] | Sequence[Tensor],
    labels: Sequence[str],
    *,
    notes: Sequence[str] | None = None,
    heads: Sequence[str] = (),
    title: str | None = None,
) -> Figure:
    """Images in rows.

    Args:
        images: in [0, 1], or several blocks of such side by side; NaN leaves a place empty.
        labels: one for each row.
        notes: a second, quieter label for each row.
        heads: a heading for each block.
        title: above the picture.
    """
    import matplotlib
    from matplotlib.figure import Figure

    blocks = [images] if isinstance(images, Tensor) else list(images)
    rows, _, _, height, width = blocks[0].shape
    pad = max(1, round(height / 14))
    gap = width // 2
    strips, starts, at = [], [], 0
    for i, block in enumerate(blocks):
        strip = _mosaic(block, pad)
        if i:
            strips.append(np.ones((strip.shape[0], gap, strip.shape[2])))
            at += gap
        starts.append(at + strip.shape[1] / 2)
        strips.append(strip)
        at += strip.shape[1]
    picture = np.concatenate(strips, 1)

    with matplotlib.rc_context(FONT):
        inches = 0.52  # a tile
        across, down = picture.shape[1] / (width + pad), rows * (height + pad) / (width + pad)
        left = 0.95 if notes else max(0.4, 0.15 + 0.08 * max(map(len, labels)))
        top = 0.1 + 0.22 * bool(heads) + 0.25 * bool(title)
        size = (left + inches * across + 0.1, top + inches * down + 0.1)
        figure = Figure(figsize=size, dpi=max(150, width * 2 / inches), facecolor="white")
        box = (left / size[0], 0.1 / size[1], inches * across / size[0], inches * down / size[1])
        axes = figure.add_axes(box)
        axes.imshow(picture.squeeze(-1) if picture.shape[2] == 1 else picture, cmap="gray", vmin=0)
        axes.set_axis_off()
        for i, label in enumerate(labels):
            y = (i + 0.5) * (height + pad) - 0.5
            points: Any = {"textcoords": "offset points", "ha": "right", "annotation_clip": False}
            axes.annotate(
                label, (0, y), (-42 if notes else -6, 0), va="center", weight="bold", **points
            )
            if notes:
                axes.annotate(notes[i], (0, y), (-6, 0), va="center", size=8, color=MUTED, **points)
        for head, x in zip(heads, starts, strict=False):  # there may be no headings
            axes.annotate(
                head,
                (x, 0),
                (0, 6),
                textcoords="offset points",
                ha="center",
                color=MUTED,
                annotation_clip=False,
            )
        if title:
            figure.text(0.1 / size[0], 1 - 0.1 / size[1], title, va="top", weight="bold", size=11)
    return figure


def plot_history(history: Sequence[dict[str, float]]) -> Figure:
    """How a training went: the ELBO, its two divergences, the clusters in use.

    Args:
        history: the records of `pyro_gmvae.training.TrainResult`.
    """
    import matplotlib
    from matplotlib.figure import Figure

    epochs = [record["epoch"] for record in history]
    marker = "o" if len(history) == 1 else None
    with matplotlib.rc_context(FONT):
        figure = Figure(figsize=(10, 2.8), dpi=150, layout="constrained", facecolor="white")
        elbo, divergence, usage = figure.subplots(1, 3)
        for axes, title in (
            (elbo, "ELBO, nats per datum"),
            (divergence, "KL divergences, nats"),
            (usage, "clusters in use"),
        ):
            axes.set_title(title, loc="left", weight="bold", size=9)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_xlabel("epoch", color=MUTED)
            axes.grid(axis="y", color="#e5e7eb", linewidth=0.6)
            axes.tick_params(length=2, colors=MUTED)
        _line(elbo, epochs, history, "elbo", "training", ACCENT, marker)
        _line(elbo, epochs, history, "validation_elbo", "held out", SECOND, marker)
        # The first epochs are far below all others, and would flatten them.
        values = np.array([r[n] for r in history for n in ("elbo", "validation_elbo") if n in r])
        if len(history) > 10:
            low, high = np.quantile(values, 0.05), values.max()
            elbo.set_ylim(low - 0.05 * (high - low), high + 0.08 * (high - low))
        _line(divergence, epochs, history, "kl_z", "style, KL(z)", ACCENT, marker)
        _line(divergence, epochs, history, "kl_y", "cluster, KL(y)", SECOND, marker)
        divergence.set_ylim(bottom=0)
        _line(usage, epochs, history, "clusters_in_use", None, ACCENT, marker)
        usage.set_ylim(0, max(r["clusters_in_use"] for r in history) + 1)
        usage.yaxis.get_major_locator().set_params(integer=True)
        for axes in (elbo, divergence):
            axes.legend(frameon=False, fontsize=8, labelcolor=MUTED)
    return figure


def _line(
    axes: Axes,
    epochs: list[float],
    history: Sequence[dict[str, float]],
    name: str,
    label: str | None,
    color: str,
    marker: str | None,
) -> None:
    if history and name in history[0]:
        values = [record[name] for record in history]
        axes.plot(epochs, values, color=color, label=label, marker=marker, linewidth=1.4)


def _members(
    x: Tensor, q: Tensor, shown: Tensor, n_confident: int, n_random: int, seed: int
) -> list[Tensor]:
    """Images ``(rows, n, C, H, W)`` of the surest and of random members, NaN for none."""
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


def _mosaic(images: Tensor, pad: int) -> Float[np.ndarray, "height width channels"]:
    """Images ``(rows, columns, C, H, W)`` as one, white between them."""
    rows, columns, channels, height, width = images.shape
    tiles = torch.nan_to_num(images.float(), nan=1.0).clamp(0, 1)
    page = torch.ones(rows, columns, channels, height + pad, width + pad)
    page[..., :height, :width] = tiles
    flat = page.permute(0, 3, 1, 4, 2).reshape(rows * (height + pad), columns * (width + pad), -1)
    return flat[:-pad, :-pad].numpy()


def _share(size: int, total: int) -> str:
    return f"{size / total:.1%}" if size else "empty"


def _heat_map(
    x: Float[Tensor, "N D"],
    clusters: Int[Tensor, " N"],
    sizes: Int[Tensor, " K"],
    shown: Int[Tensor, " rows"],
    feature_names: Sequence[str] | None,
    title: str | None,
) -> Figure:
    """Mean of each cluster's members in each column, in standard deviations from the mean."""
    import matplotlib
    from matplotlib.figure import Figure

    means = torch.stack([x[clusters == k].mean(0) for k in shown.tolist()]).numpy()
    rows, columns = means.shape
    used = sizes[shown].numpy() > 0
    limit = float(np.abs(means[used]).max()) or 1.0
    with matplotlib.rc_context(FONT):
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
        shares = [_share(int(sizes[k]), len(x)) for k in shown]
        axes.set_yticks(
            range(rows), [f"{k}   {s:>6}" for k, s in zip(shown.tolist(), shares, strict=True)]
        )
        if named:
            names = feature_names or [f"column {i}" for i in range(columns)]
            axes.set_xticks(range(columns), list(names), rotation=45, ha="right")
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
            axes.set_title(title, loc="left", weight="bold", size=11)
    return figure
