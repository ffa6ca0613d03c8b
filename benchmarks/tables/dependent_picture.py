"""Draw the clusters that are found where columns depend on one another within a cluster.

The table is b, without gaps, of one seed. A panel shows the true clusters, and one those of each
contender, with the adjusted Rand index; found clusters have the colours of the true ones that they
match best. The two axes are the directions of the real columns that part the true clusters best
(linear discriminants), for drawing alone.

    python -m benchmarks tables-picture --seed 2 --picture docs/dependent-columns.png
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.tables.contenders import CONTENDERS, Case, options_of
from benchmarks.tables.generators import Generated, b
from benchmarks.tables.rivals import check_installed
from pyro_gmvae.plots.style import font_set

TITLES = {
    "em": "mixture of per-column laws",
    "free": "GMVAE, clusters free",
    "held": "GMVAE, clusters held",
    "kmeans": "k-means of one-hot columns",
}
SMALL: dict[str, Any] = {"rows": 200, "contenders": ["em"], "epochs": 2}


def main(argv: Sequence[str]) -> None:
    parser = Parser("tables-picture", __doc__, small=SMALL)
    parser.add_argument("--rows", type=at_least(50), default=2000)
    parser.add_argument("--contenders", nargs="+", default=["em", "free"], choices=list(CONTENDERS))
    parser.add_argument("--epochs", type=at_least(1), help="of our model; default: its own")
    parser.add_argument("--picture", type=Path, default=Path("dependent-columns.png"))
    arguments = parser.read(argv)
    check_installed(arguments.contenders)
    report = Report("tables-picture", arguments)
    table = b(arguments.seed, arguments.rows, gaps=0.0)
    case = Case(
        table.frame,
        table.kinds,
        table.clusters,
        arguments.seed,
        labels=table.labels,
        options=options_of(arguments),
    )
    panels = {"true clusters": table.labels}
    report.header("contender              ", "ARI")
    for name in arguments.contenders:
        found = CONTENDERS[name](case)
        index = float(adjusted_rand_score(table.labels, found))
        report.add(contender=name, ari=index)
        report.line(name, f"{index:.2f}")
        panels[f"{TITLES.get(name, name)}: {index:.2f}"] = matched(table.labels, found)
    draw(panels, projection(table), arguments.picture)
    report.say(f"Drawn to {arguments.picture}.")
    report.close()


def matched(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Give each cluster the number of the true one that it shares most rows with."""
    found = np.unique(found, return_inverse=True)[1]
    true, other = linear_sum_assignment(-contingency_matrix(truth, found))
    numbers = dict(zip(other.tolist(), true.tolist(), strict=True))
    return np.array([numbers.get(cluster, truth.max() + 1 + cluster) for cluster in found])


def projection(table: Generated) -> np.ndarray:
    """Return the rows in the two directions that part the true clusters best, shape ``(N, 2)``."""
    real = [name for name in table.kinds if name.startswith("r")]
    fitted = LinearDiscriminantAnalysis(n_components=2).fit(table.frame[real], table.labels)
    return np.asarray(fitted.transform(table.frame[real]))


def draw(panels: Mapping[str, np.ndarray], points: np.ndarray, file: Path) -> None:
    """Draw the clusters of each panel, side by side."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    # A few far rows would make all others a dot.
    low, high = np.quantile(points, [0.002, 0.998], axis=0)
    margin = 0.05 * (high - low)
    with font_set():
        picture = Figure(figsize=(3.5 * len(panels), 3.5), layout="constrained")
        colours = np.array(colormaps["tab10"].colors)  # type: ignore[attr-defined]
        axes = picture.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for place, (title, clusters) in zip(axes, panels.items(), strict=True):
            place.scatter(*points.T, s=4, linewidths=0, c=colours[clusters % len(colours)])
            place.set(xticks=[], yticks=[])
            place.set_title(title, loc="left", weight="bold", size=9)
        axes[0].set(xlim=(low[0] - margin[0], high[0] + margin[0]))
        axes[0].set(ylim=(low[1] - margin[1], high[1] + margin[1]))
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.savefig(file, dpi=150)
