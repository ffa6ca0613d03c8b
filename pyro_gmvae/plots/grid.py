"""Draw images in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.plots.style import MUTED, drawable, font_set

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_grid"]

MOST_DOTS, MOST_PIXELS = 60_000, 10**8  # matplotlib takes less than 2^16 dots from side to side


def plot_grid(
    images: Float[Tensor, "rows columns C H W"] | Sequence[Tensor],
    labels: Sequence[str],
    *,
    notes: Sequence[str] | None = None,
    heads: Sequence[str] = (),
    title: str | None = None,
) -> Figure:
    """Draw images in rows.

    Args:
        images: images in [0, 1], shape ``(rows, columns, C, H, W)``, or several such blocks side by
            side; NaN leaves a place empty.
        labels: a label for each row.
        notes: a second label for each row, in grey.
        heads: a heading for each block.
        title: title above the picture.

    >>> figure = plot_grid(torch.zeros(2, 5, 1, 8, 8), ["a", "b"])
    >>> len(figure.axes)
    1
    """
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

    with font_set():
        inches = 0.52  # side of a tile
        across, down = picture.shape[1] / (width + pad), rows * (height + pad) / (width + pad)
        left = 0.95 if notes else max(0.4, 0.15 + 0.08 * max(map(len, labels)))
        top = 0.1 + 0.22 * bool(heads) + 0.25 * bool(title)
        size = (left + inches * across + 0.1, top + inches * down + 0.1)
        figure = Figure(figsize=size, dpi=_dpi(size, width * 2 / inches), facecolor="white")
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
        for head, x in zip(heads, starts, strict=False):  # without headings nothing is written
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
            corner = (0.1 / size[0], 1 - 0.1 / size[1])
            figure.text(*corner, drawable(title), va="top", weight="bold", size=11)
    return figure


def _dpi(inches: tuple[float, float], wanted: float) -> float:
    """Return the dots per inch, so few that a picture of many images can still be written."""
    fits = min(MOST_DOTS / max(inches), (MOST_PIXELS / (inches[0] * inches[1])) ** 0.5)
    return min(max(150, wanted), fits)


def _mosaic(images: Tensor, pad: int) -> Float[np.ndarray, "height width channels"]:
    """Join images ``(rows, columns, C, H, W)`` to one image, with white between them."""
    rows, columns, channels, height, width = images.shape
    tiles = torch.nan_to_num(images.float(), nan=1.0).clamp(0, 1)
    page = torch.ones(rows, columns, channels, height + pad, width + pad)
    page[..., :height, :width] = tiles
    flat = page.permute(0, 3, 1, 4, 2).reshape(rows * (height + pad), columns * (width + pad), -1)
    return flat[:-pad, :-pad].numpy()
