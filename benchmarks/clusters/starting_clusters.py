"""Judge the clusters that a training may start from, before it starts.

The strategies of `--initialization` cluster scikit-learn's digits. The figure is the adjusted Rand
index with the digits of the training rows, for each number of epochs that the plain VAE of a latent
start has. Labels are used for the index only, and every seed that was run is counted.

    python -m benchmarks starting-clusters --out benchmarks/results/starting_clusters.json
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from statistics import mean

from sklearn.metrics import adjusted_rand_score

from benchmarks.clusters.labels import class_labels
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from pyro_gmvae.data import load_splits
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts import CLUSTERINGS
from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.registry import start_by_name

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
    settings = Settings.of(
        "digits",
        clusters=10,
        regularize="none",
        initialization=name,
        seed=seed,
        device=arguments.device,
    )
    if epochs is not None:
        settings = settings.with_(initialization_epochs=epochs)
    splits = load_splits("digits", seed=seed)
    made = plan(settings, splits)
    context = StartContext(
        made.make_model(seed),
        splits.train.x,
        made.config,
        transform=made.encoding,
        encode_mean=made.encoding.encode_mean,
        epochs=made.start.epochs,
    )
    clusters = start_by_name(name)(context)
    if clusters.dim() == 2:
        clusters = clusters.argmax(-1)
    return float(adjusted_rand_score(class_labels(splits.train), clusters))
