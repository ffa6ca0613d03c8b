"""Draw the choice between numbers of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyro_gmvae.plots.style import ACCENT, MUTED, SECOND, drawable, font_set, plain_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pyro_gmvae.evaluation import Selection

__all__ = ["plot_selection"]


def plot_selection(selection: Selection, *, title: str | None = None) -> Figure:
    """Draw how many clusters are found again and how well unseen data are predicted, for each K.

    The bars are standard errors. A filled mark shows the recommended number of clusters.

    Args:
        selection: the result of `pyro_gmvae.evaluation.select`.
        title: title above the picture.

    >>> from pyro_gmvae.evaluation import Candidate, select
    >>> log_p, clusters = torch.zeros(2, 5), torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]])
    >>> figure = plot_selection(select([Candidate(k, log_p, clusters) for k in (2, 3)]))
    >>> figure.get_suptitle()
    '2 clusters'
    """
    from matplotlib.figure import Figure

    numbers = [c.n_clusters for c in selection.candidates]
    chosen = numbers.index(selection.n_clusters)
    found = [c.found_again for c in selection.candidates]
    errors = [c.found_again_error for c in selection.candidates]
    behind, behind_errors = (-selection.behind[0]).tolist(), selection.behind[1].tolist()
    with font_set():
        figure = Figure(figsize=(10, 3.2), dpi=150, layout="constrained", facecolor="white")
        again, predicts = figure.subplots(1, 2)
        plain_axes(again, "clusters found again in other runs", "clusters")
        plain_axes(predicts, "unseen data: log p(x) against the best, nats", "clusters")
        again.plot(numbers, numbers, color=SECOND, linewidth=1, linestyle=(0, (4, 3)))
        again.annotate(
            "all",
            (numbers[-1], numbers[-1]),
            (0, 3),
            textcoords="offset points",
            ha="right",
            color=SECOND,
            size=8,
        )
        for axes, values, bars in (
            (again, found, errors),
            (predicts, behind, behind_errors),
        ):
            axes.errorbar(
                numbers,
                values,
                bars,
                color=ACCENT,
                ecolor=MUTED,
                elinewidth=0.8,
                linewidth=1.4,
                marker="o",
                markersize=5,
                markerfacecolor="white",
                capsize=2,
                clip_on=False,
            )
            axes.plot(numbers[chosen], values[chosen], "o", color=ACCENT, markersize=8)
            axes.xaxis.get_major_locator().set_params(integer=True)
        again.set_ylim(bottom=0)
        words = f"{selection.n_clusters} clusters" + ("" if selection.sure else ", with doubts")
        words = f"{drawable(title)}: {words}" if title else words
        figure.suptitle(words, x=0.01, ha="left", weight="bold", size=11)
    return figure
