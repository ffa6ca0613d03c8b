"""Define the style that all pictures have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyro_gmvae.process.turns import turn
from pyro_gmvae.visible import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ACCENT", "GRID", "MUTED", "SECOND", "drawable", "font_set", "plain_axes"]

MUTED, ACCENT, SECOND, GRID = "#6b7280", "#2563eb", "#d97706", "#e5e7eb"
FONT: Any = {"font.family": "sans-serif", "font.size": 9, "axes.edgecolor": "#9ca3af"}


def drawable(text: str) -> str:
    r"""Make a name from a file something that matplotlib can draw as it stands.

    A pair of dollar signs would be a formula, and characters that are no text an error.

    >>> print(drawable("price_$ to $"))
    price_\$ to \$
    """
    return visible(text).replace("$", r"\$")


@contextmanager
def font_set() -> Iterator[None]:
    """Set the font of all pictures while the context lasts; the settings are the process's own.

    >>> import matplotlib
    >>> before = matplotlib.rcParams["font.family"]
    >>> with font_set():
    ...     inside = [name for name, value in FONT.items() if matplotlib.rcParams[name] != value]
    >>> matplotlib.rcParams["font.family"] == before
    True
    """
    import matplotlib

    with turn(), matplotlib.rc_context(FONT):
        yield


def plain_axes(axes: Axes, title: str, x: str) -> None:
    """Style a small diagram: a title above, a label below, faint horizontal lines.

    Args:
        axes: the diagram.
        title: title above the diagram.
        x: label of the x axis.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> plain_axes(axes, "Training", "epoch")
    >>> axes.get_title(loc="left"), axes.get_xlabel()
    ('Training', 'epoch')
    """
    axes.set_title(title, loc="left", weight="bold", size=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(x, color=MUTED)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.tick_params(length=2, colors=MUTED)
