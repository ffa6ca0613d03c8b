"""Judge the clusters that a training may start from, before it starts.

The strategies of `--initialization` cluster scikit-learn's digits. The figure is the adjusted Rand
index with the digits of the training rows, for each number of epochs that the plain VAE of a latent
start has. Labels are used for the index only, and every seed that was run is counted.

    python -m benchmarks starting-clusters --out benchmarks/results/starting_clusters.json
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from statistics import mean

from sklearn.metrics import adjusted_rand_score

from benchmarks.clusters.labels import class_labels
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from pyro_gmvae.data import load_splits
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.tasks.start import prepare, rows_to_start
from pyro_gmvae.training import CLUSTERINGS

OF_DATA = ("kmeans", "mixture")  # strategies that train nothing


def main(argv: Sequence[str]) -> None:
    small = {"strategies": ["kmeans", "latent-mixture"], "seeds": 1, "epochs": [1]}
    parser = Parser("starting-clusters", __doc__, small=small, full={"seeds": 10})
    parser.add_argument(
        "--strategies", nargs="+", default=available(), choices=[*CLUSTERINGS], metavar="NAME"
    )
    parser.add_argument("--epochs", nargs="+", type=at_least(1), default=[25, 60])
    parser.add_argument("--seeds", type=at_least(1), default=3, help="how many, from --seed on")
    arguments = parser.read(argv)
    report = Report("starting-clusters", arguments)
    report.header("strategy      ", "epochs", "ARI  ", "of each seed")
    for name in arguments.strategies:
        for epochs in [None] if name in OF_DATA else arguments.epochs:
            indices = [index_of(name, epochs, seed, arguments) for seed in seeds_of(arguments)]
            report.add(strategy=name, epochs=epochs, ari=indices)
            each = " ".join(f"{index:.2f}" for index in indices)
            report.line(name, epochs or "-", f"{mean(indices):.3f}", each)
    report.close()


def available() -> list[str]:
    """Return the strategies whose packages are installed."""
    return [name for name in CLUSTERINGS if name != "latent-umap" or find_spec("umap")]


def index_of(name: str, epochs: int | None, seed: int, arguments: Namespace) -> float:
    """Return the index of a strategy's clusters of the training rows with the digits."""
    settings = TrainSettings(
        "digits",
        clusters=10,
        regularize="none",
        initialization=name,  # type: ignore[arg-type]
        seed=seed,
        device=arguments.device,
    )
    if epochs is not None:
        settings = replace(settings, initialization_epochs=epochs)
    splits = load_splits("digits", seed=seed)
    clusters = CLUSTERINGS[name](rows_to_start(prepare(settings, splits), settings, splits))
    if clusters.dim() == 2:
        clusters = clusters.argmax(-1)
    return float(adjusted_rand_score(class_labels(splits.train), clusters))
