"""How good are the clusters that a training may begin near, before it has begun?

The strategies of `--initialization` on scikit-learn's digits: the adjusted Rand index with the
digits of the training rows, for each number of epochs that the plain VAE of a latent start has. No
label is used before that, and every seed that was run is in it.

    python benchmarks/clusterings.py --out benchmarks/results/clusterings.json
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from statistics import mean

from sklearn.metrics import adjusted_rand_score

from benchmarks.clusters import known
from benchmarks.report import Parser, Report, at_least, script
from pyro_gmvae.data import load_splits
from pyro_gmvae.tasks.settings import TrainSettings
from pyro_gmvae.tasks.start import prepare, rows_to_start
from pyro_gmvae.training import CLUSTERINGS

OF_DATA = ("kmeans", "mixture")  # which train nothing


def main(argv: Sequence[str] | None = None) -> None:
    small = {"strategies": ["kmeans", "latent-mixture"], "seeds": 1, "epochs": [1]}
    parser = Parser(__doc__, small=small, full={"seeds": 10})
    parser.add_argument(
        "--strategies", nargs="+", default=available(), choices=[*CLUSTERINGS], metavar="NAME"
    )
    parser.add_argument("--epochs", nargs="+", type=at_least(1), default=[25, 60])
    parser.add_argument("--seeds", type=at_least(1), default=3, help="how many, from --seed on")
    arguments = parser.read(argv)
    report = Report("clusterings", arguments)
    report.header("strategy      ", "epochs", "ARI  ", "of each seed")
    for name in arguments.strategies:
        for epochs in [None] if name in OF_DATA else arguments.epochs:
            indices = [index_of(name, epochs, seed, arguments) for seed in seeds_of(arguments)]
            report.add(strategy=name, epochs=epochs, ari=indices)
            each = " ".join(f"{index:.2f}" for index in indices)
            report.line(name, epochs or "-", f"{mean(indices):.3f}", each)
    report.close()


def available() -> list[str]:
    """All strategies whose packages are installed."""
    return [name for name in CLUSTERINGS if name != "latent-umap" or find_spec("umap")]


def seeds_of(arguments: Namespace) -> range:
    return range(arguments.seed, arguments.seed + arguments.seeds)


def index_of(name: str, epochs: int | None, seed: int, arguments: Namespace) -> float:
    """With the digits, of the clusters that a strategy gives the training rows."""
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
    return float(adjusted_rand_score(known(splits.train), clusters))


if __name__ == "__main__":
    script(main)
