"""Draw the course of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyro_gmvae.plots.style import ACCENT, MUTED, SECOND, font_set, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_history"]


def plot_history(history: Sequence[dict[str, float]]) -> Figure:
    """Draw the course of a training: the ELBO, its two divergences, the clusters in use.

    Args:
        history: the records of `pyro_gmvae.training.TrainResult`, one for each epoch.

    >>> record = {"epoch": 1, "elbo": -9.0, "kl_z": 2.0, "kl_y": 0.5, "clusters_in_use": 3}
    >>> [axes.get_title(loc="left") for axes in plot_history([record]).axes]
    ['ELBO, nats per datum', 'KL divergences, nats', 'clusters in use']
    """
    from matplotlib.figure import Figure

    epochs = [record["epoch"] for record in history]
    marker = "o" if len(history) == 1 else None
    with font_set():
        figure = Figure(figsize=(10, 2.8), dpi=150, layout="constrained", facecolor="white")
        elbo, divergence, usage = figure.subplots(1, 3)
        for axes, title in (
            (elbo, "ELBO, nats per datum"),
            (divergence, "KL divergences, nats"),
            (usage, "clusters in use"),
        ):
            plain_axes(axes, title, "epoch")
        _line(elbo, epochs, history, "elbo", "training", ACCENT, marker)
        _line(elbo, epochs, history, "validation_elbo", "held out", SECOND, marker)
        # The ELBO of the first epochs is far below all others, which would flatten the curve.
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
