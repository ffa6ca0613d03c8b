"""Draw what the clusters of a table of several kinds of columns are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data.columns.profiles import ColumnProfile, profiles_of
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.plots.cells import (
    heading,
    is_yes_no,
    level_colours,
    level_text,
    number_text,
    percent,
)
from pyro_gmvae.plots.lines import MAX_HEADING, SLANT, Line, letters_of, lines_of, reach
from pyro_gmvae.plots.rows import share, shown_clusters
from pyro_gmvae.plots.style import MUTED, drawable, font_set

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MAX_COLUMNS", "plot_column_profiles"]

MAX_COLUMNS = 30  # most columns in one picture; those that tell clusters apart most are shown
# Lengths in inches.
ROW, MARGIN, LABEL, LINE = 0.3, 0.15, 0.95, 0.2
SMALL = 0.058  # width of a letter in a cell
NARROW = 6.0  # a picture is as wide at least
BAR, LEVEL_BAR = "#cfe0f5", 0.3  # colour of a share; height of the bar of levels, in rows
LEAST_LIMIT = 1.0  # standard deviations that the strongest colour is at least
INK, BLANK, GAPS = "#111827", "#f3f4f6", "#6b7280"


def plot_column_profiles(
    schema: Schema,
    x: Float[Tensor, "N D"],
    responsibilities: Float[Tensor, "N K"],
    *,
    weights: Float[Tensor, " N"] | None = None,
    title: str | None = None,
    most_columns: int = MAX_COLUMNS,
) -> Figure:
    """Draw the profile of each cluster of a table, one row for each cluster, by kinds of columns.

    A number has its mean written in its cell, an amount its median; the colour says how far the
    cluster's mean is from that of all rows. Columns of levels show shares. A grey line on top of a
    cell is the share of its gaps.

    Args:
        schema: the D columns.
        x: rows in raw units, NaN where a cell is missing.
        responsibilities: q(y|x).
        weights: how much each row counts; None if all count alike.
        title: above the picture.
        most_columns: columns that are drawn, at most; those that tell clusters apart most.

    >>> import torch
    >>> from pyro_gmvae.data import Column
    >>> schema = Schema((Column("age"), Column("tier", "category", "text", levels=("a", "b"))))
    >>> x = torch.tensor([[20.0, 0.0], [30.0, 0.0], [50.0, 1.0], [60.0, 1.0]])
    >>> figure = plot_column_profiles(schema, x, torch.eye(2)[[0, 0, 1, 1]], title="Customers")
    >>> figure.texts[0].get_text()
    'Customers'
    """
    shares, shown, title = shown_clusters(responsibilities, title, weights)
    k = responsibilities.shape[-1]
    profiles = profiles_of(schema, x, responsibilities.argmax(-1), k, weights)
    if len(profiles) > most_columns:
        order = sorted(range(len(profiles)), key=lambda i: -profiles[i].tells)[:most_columns]
        title = (
            f"{title or 'Clusters'} ({most_columns} of {len(profiles)} columns, those that tell "
            "clusters apart most)"
        )
        profiles = [profiles[i] for i in sorted(order)]
    mass = shares.numpy()
    used = [k for k in shown.tolist() if mass[k]]
    far = [np.abs(p.deviation[used]) for p in profiles if p.column.kind != "spike"]
    limit = max((float(np.nanmax(d)) for d in far if not np.isnan(d).all()), default=LEAST_LIMIT)
    page = _Page(shown.tolist(), mass, max(limit, LEAST_LIMIT))
    return page.draw(list(lines_of(profiles, len(shown))), title)


@dataclass
class _Page:
    """Draw lines of columns below one another; all lengths are in inches.

    Attributes:
        shown: the clusters that have a row.
        mass: ``(K,)`` the share of each cluster.
        limit: the deviation of the strongest colour.
    """

    shown: list[int]
    mass: np.ndarray
    limit: float

    def draw(self, lines: list[Line], title: str | None) -> Figure:
        from matplotlib.figure import Figure

        heads = [max(reach(letters_of(p))[1] for *_, p in line.columns) + 0.1 for line in lines]
        body = ROW * len(self.shown)
        notes = self._notes(lines)
        heights = [LINE + head + body + 0.25 for head in heads]
        titles = str(title or "").splitlines()
        above = MARGIN + 0.28 * len(titles)
        height = above + sum(heights) + LINE * len(notes) + MARGIN
        room = max(line.room() for line in lines)
        width = max(NARROW, 0.1 * len(title or ""), 2 * MARGIN + LABEL + room)
        with font_set():
            figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
            at = MARGIN / height
            for text in titles:
                figure.text(
                    MARGIN / width, 1 - at, drawable(text), weight="bold", size=11, va="top"
                )
            top = above
            for line, head in zip(lines, heads, strict=True):
                top += LINE + head
                place = [
                    (MARGIN + LABEL) / width,
                    1 - (top + body) / height,
                    line.width / width,
                    body / height,
                ]
                axes = figure.add_axes(place)  # type: ignore[call-overload]
                self._line(axes, line, head)
                top += body + 0.25
            for i, note in enumerate(notes):
                y = (MARGIN + LINE * (len(notes) - 1 - i)) / height
                figure.text(MARGIN / width, y, note, color=MUTED, size=8)
        return figure

    def _notes(self, lines: list[Line]) -> list[str]:
        profiles = [p for line in lines for *_, p in line.columns]
        notes = []
        if any(not p.shares.shape[1] for p in profiles):
            notes.append(
                f"colour: the cluster's mean, from {-self.limit:.1f} (blue) to {self.limit:.1f} "
                "(red) standard deviations; amounts and counts by their logarithms"
            )
        if any(np.nan_to_num(p.gaps).any() for p in profiles):
            notes.append("grey line on top of a cell: its share of gaps")
        return notes

    def _line(self, axes: Axes, line: Line, head: float) -> None:
        """Draw one line of columns, a row of height 1 for each cluster, with its headings."""
        rows = len(self.shown)
        axes.set(xlim=(0, line.width), ylim=(rows, 0))
        axes.set_axis_off()
        for left, text in line.groups:
            axes.text(left, -(head + 0.04) / ROW, text, color=MUTED, size=8, va="bottom")
        for i, k in enumerate(self.shown):
            label = f"{k}   {share(float(self.mass[k])):>6}"
            axes.text(-0.1, i + 0.5, label, ha="right", va="center", size=9)
            if not self.mass[k]:
                axes.text(line.width / 2, i + 0.5, "empty", ha="center", va="center", color=MUTED)
        for left, width, profile in line.columns:
            gaps = float(np.nansum(profile.gaps * self.mass))
            axes.text(
                left + width / 2,
                -0.15,
                drawable(heading(profile, gaps, MAX_HEADING)),
                rotation=SLANT,
                rotation_mode="anchor",
                ha="left",
                va="bottom",
                size=8,
            )
            self._column(axes, left, width, profile)

    def _column(self, axes: Axes, left: float, width: float, profile: ColumnProfile) -> None:
        from matplotlib import colormaps

        boxes: list[tuple[float, float, float, float, object]] = []
        pad, colours = 0.02, colormaps["RdBu_r"]
        order, of_level = level_colours(profile, self.mass) if profile.shares.size else ([], [])
        for i, k in enumerate(self.shown):
            if not self.mass[k]:
                continue
            text, ink, y = "", INK, i + 0.53
            boxes.append((left + pad, i + 0.06, width - 2 * pad, 0.88, BLANK))
            full = width - 2 * pad
            if not profile.shares.size:
                text = number_text(profile.typical[k], profile) or "no cell"
                deviation = profile.deviation[k] / self.limit
                if np.isfinite(deviation):
                    colour = colours(0.5 + deviation / 2)
                    boxes.append((left + pad, i + 0.06, full, 0.88, colour))
                    ink = "white" if abs(deviation) > 0.6 else INK
            elif np.isnan(profile.shares[k]).any():
                text = "no cell"
            elif is_yes_no(profile):
                part = float(profile.shares[k, 1])
                boxes.append((left + pad, i + 0.06, full * part, 0.88, BAR))
                text = percent(part)
                if profile.column.kind == "spike" and part:
                    text = f"{text}: {number_text(profile.typical[k], profile)}"
            else:
                x, y = left + pad, i + 0.4
                for level, colour in zip(order, of_level, strict=True):
                    part = full * float(profile.shares[k, level])
                    if part > 0.001:
                        boxes.append((x, i + 0.94 - LEVEL_BAR, part, LEVEL_BAR, colour))
                    x += part
                text = level_text(profile.shares[k], profile, int(width / SMALL))
            gaps = float(profile.gaps[k])
            if gaps > 0.005:
                boxes.append((left + pad, i + 0.06, full * gaps, 0.08, GAPS))
            axes.text(
                left + width / 2, y, drawable(text), ha="center", va="center", size=7, color=ink
            )
        _fill(axes, boxes)


def _fill(axes: Axes, boxes: Sequence[tuple[float, float, float, float, object]]) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    patches = [Rectangle((x, y), width, height) for x, y, width, height, _ in boxes]
    colours = [colour for *_, colour in boxes]
    axes.add_collection(PatchCollection(patches, facecolors=colours, linewidths=0))
