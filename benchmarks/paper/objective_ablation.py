"""Measure the effect of each part of the objective on the clusters, KL(y) and the likelihood.

One part is changed at a time: the annealing of w_t, which is the weight of KL(q(y|x) || p(y)); the
length of that annealing; the temperature; the KL between relaxed or categorical distributions; the
number of particles; the start; the share of a batch whose drawn cluster the sparse method decodes.
Everything else stays: MNIST images, 10 clusters, and the Concrete method from random weights unless
the row says otherwise.

    python -m benchmarks objective-ablation --data-dir data \
        --out benchmarks/results/objective_ablation.json

A figure is the mean and standard deviation over several seeds. `kl_y` is the training's
KL(q(y|x) || p(y)) in its last epoch, `log_likelihood` that of the discrete model on test images.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.resolved_config import resolved
from benchmarks.measuring.summary import spread
from benchmarks.paper.kmeans_start import start_near_kmeans
from benchmarks.paper.reduced_mnist import BATCH_SIZE, ReducedMNIST
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainConfig, fit

ANNEALING = 10.0  # epochs
AT_ONCE = Schedule()


@dataclass(frozen=True)
class Variant:
    """Describe one change of the objective.

    Attributes:
        method: the inference method.
        options: arguments of the model.
        config: arguments of `TrainConfig`.
        kmeans: whether training starts near a k-means clustering.
    """

    method: str = "concrete"
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    kmeans: bool = False


def annealed(epochs: float) -> dict[str, Any]:
    """Return the training's arguments for w_t from 0 to 1 in so many epochs."""
    return {"kl_annealing": KLAnnealing(duration=epochs)}


VARIANTS = {
    "w_t 0 to 1 in 10 epochs": Variant(),
    "w_t = 1 throughout": Variant(config={"kl_annealing": AT_ONCE}),
    "w_t 0 to 1 in 3 epochs": Variant(config=annealed(3)),
    "w_t 0 to 1 in 18 epochs": Variant(config=annealed(18)),
    "temperature 1": Variant(options={"temperature": 1.0}),
    "temperature 1 to 0.2": Variant(
        options={"temperature": 1.0},
        config={"temperature": Schedule("linear", start=1.0, end=0.2, duration=ANNEALING)},
    ),
    "relaxed KL": Variant(options={"kl": "relaxed"}),
    "relaxed KL, w_t = 1": Variant(options={"kl": "relaxed"}, config={"kl_annealing": AT_ONCE}),
    "10 particles": Variant(config={"num_particles": 10}),
    "k-means start": Variant(kmeans=True),
    "sparse": Variant("sparse"),
    "sparse, w_t = 1": Variant("sparse", config={"kl_annealing": AT_ONCE}),
    "sparse, k-means start": Variant("sparse", kmeans=True),
    "sparse, a quarter": Variant("sparse", {"drawn_share": 0.25}),
    "sparse, a quarter, k-means start": Variant("sparse", {"drawn_share": 0.25}, kmeans=True),
    "marginal": Variant("marginal"),
    "exact": Variant("exact"),
}
SHOWN = {
    "kl_y": 2,
    "log_likelihood": 2,
    "clusters_in_use": 1,
    "mutual_information": 2,
    "accuracy": 3,
    "nmi": 3,
}
SMALL = {
    "variants": ["w_t = 1 throughout", "k-means start"],
    "seeds": 2,
    "rows": 60,
    "test_rows": 8,
    "hidden": 8,
    "epochs": 2,
    "samples": 25,
}


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "objective-ablation",
        __doc__,
        small=SMALL,
        full={"rows": 60_000, "test_rows": 10_000, "epochs": 50},
    )
    names = list(VARIANTS)
    parser.add_argument("--variants", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--seeds", type=at_least(1), default=3, help="how many, from --seed on")
    parser.add_argument("--rows", type=at_least(20), default=4_000, help="training images")
    parser.add_argument("--test-rows", type=at_least(1), default=500)
    parser.add_argument(
        "--hidden", type=at_least(1), default=256, help="size of both hidden layers"
    )
    parser.add_argument("--epochs", type=at_least(1), default=20)
    parser.add_argument("--samples", type=at_least(21), default=200, help="importance samples")
    parser.add_argument("--data-dir", default="data")
    arguments = parser.read(argv)
    report = Report("objective-ablation", arguments)
    report.header("changed" + " " * 18, *(name[:14] for name in SHOWN))
    for name in arguments.variants:
        found = [run(VARIANTS[name], seed, arguments) for seed in seeds_of(arguments)]
        figures = {key: [one[key] for one in found] for key in SHOWN}
        report.add(variant=name, **figures)
        report.line(name, *(spread(figures[key], digits) for key, digits in SHOWN.items()))
    report.close()


def run(variant: Variant, seed: int, arguments: Namespace) -> dict[str, Any]:
    """Train once and evaluate on test images."""
    images = ReducedMNIST.of(arguments)
    x, transform = images.splits.train.x, images.transform
    pair = METHODS[variant.method]
    gmvae = images.pair(pair, seed, hidden=arguments.hidden, **variant.options)
    config = TrainConfig(
        epochs=arguments.epochs,
        batch_size=BATCH_SIZE,
        patience=None,
        keep_best=False,
        seed=seed,
        device=arguments.device,
        **({"kl_annealing": KLAnnealing(duration=ANNEALING)} | variant.config),
    )
    config = resolved(config, gmvae, x, transform=transform)
    if variant.kmeans:
        start_near_kmeans(gmvae, x, config, seed=seed, transform=transform)
    history = fit(gmvae, x, config, transform=transform).history
    return {"kl_y": history[-1]["kl_y"], **images.judged(gmvae, arguments.samples)}
