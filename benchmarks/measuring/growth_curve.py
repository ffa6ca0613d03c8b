"""Show how a figure grows with the number of clusters, by a log-log slope and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from pathlib import Path
from statistics import linear_regression

__all__ = ["Curve", "plot", "slope"]

Curve = dict[int, float]  # a positive figure at each K


def slope(curve: Curve) -> float | None:
    """Return the least-squares slope of log(figure) against log(K); None for under two points.

    0 means no growth, 1 growth in proportion to K.
    """
    points = [(log(k), log(value)) for k, value in curve.items() if value > 0]
    if len(points) < 2:
        return None
    return linear_regression(*zip(*points, strict=True)).slope


def plot(figures: Mapping[str, Mapping[str, Curve]], file: Path) -> None:
    """Draw each figure's curves in a panel of its own, both axes logarithmic."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    picture = Figure(figsize=(5 * len(figures), 4), layout="constrained")
    for axes, (name, curves) in zip(
        picture.subplots(1, len(figures), squeeze=False)[0], figures.items(), strict=True
    ):
        for label, curve in curves.items():
            grows = slope(curve)
            words = label if grows is None else f"{label}, slope {grows:.2f}"
            axes.plot(list(curve), list(curve.values()), marker="o", label=words)
        axes.set(xscale="log", yscale="log", xlabel="clusters", title=name)
        axes.xaxis.set_major_locator(FixedLocator(sorted({k for c in curves.values() for k in c})))
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=150)
