"""What does each part of the objective do to the clusters, KL(y) and the likelihood?

One thing is changed at a time: the annealing of w_t, the weight of KL(q(y|x) || p(y)), its
length, the temperature, the KL between relaxed or categorical laws, the number of particles, the
start, the share of a batch whose drawn cluster the sparse method decodes. Everything else is the
same: MNIST images, 10 clusters, the Concrete method from random weights unless the row says
otherwise.

    python benchmarks/objective.py --data-dir data --out benchmarks/results/objective.json

Several seeds each; a figure is their mean and standard deviation. `kl_y` is the training's
KL(q(y|x) || p(y)) in its last epoch, `log_likelihood` that of the discrete model on test images.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmarks.paper_cells import Study
from benchmarks.paper_run import prepared
from benchmarks.paper_table import spread
from benchmarks.report import Parser, Report, at_least, script
from pyro_gmvae.evaluation import evaluate
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainConfig, fit, initialize, kmeans_clusters

CLUSTERS, ANNEALING = 10, 10.0  # epochs
AT_ONCE = Schedule()


@dataclass(frozen=True)
class Variant:
    """One change of the objective.

    Attributes:
        method: of inference.
        options: of the model.
        config: of the training.
        kmeans: whether it begins near a k-means clustering.
    """

    method: str = "concrete"
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    kmeans: bool = False


def annealed(epochs: float) -> dict[str, Any]:
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


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(__doc__, small=SMALL, full={"rows": 60_000, "test_rows": 10_000, "epochs": 50})
    names = list(VARIANTS)
    parser.add_argument("--variants", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--seeds", type=at_least(1), default=3, help="how many, from --seed on")
    parser.add_argument("--rows", type=at_least(20), default=4_000, help="training images")
    parser.add_argument("--test-rows", type=at_least(1), default=500)
    parser.add_argument("--hidden", type=at_least(1), default=256, help="of both hidden layers")
    parser.add_argument("--epochs", type=at_least(1), default=20)
    parser.add_argument("--samples", type=at_least(21), default=200, help="importance samples")
    parser.add_argument("--data-dir", default="data")
    arguments = parser.read(argv)
    report = Report("objective", arguments)
    report.header("changed" + " " * 18, *(name[:14] for name in SHOWN))
    for name in arguments.variants:
        found = [
            run(VARIANTS[name], seed, arguments)
            for seed in range(arguments.seed, arguments.seed + arguments.seeds)
        ]
        figures = {key: [one[key] for one in found] for key in SHOWN}
        report.add(variant=name, **figures)
        report.line(name, *(spread(figures[key], digits) for key, digits in SHOWN.items()))
    report.close()


def run(variant: Variant, seed: int, arguments: Namespace) -> dict[str, Any]:
    """Train once and evaluate on test images."""
    study = Study(
        "mnist", clusters=(CLUSTERS,), train_rows=arguments.rows, test_rows=arguments.test_rows
    )
    splits, transform, likelihood = prepared(study, arguments.data_dir)
    device = torch.device(arguments.device)
    transform = transform.to(device)
    x = splits.train.x
    torch.manual_seed(seed)
    gmvae = METHODS[variant.method](
        splits.train.event_shape,
        CLUSTERS,
        20,
        hidden=(arguments.hidden, arguments.hidden),
        likelihood=likelihood,
        **variant.options,
    )
    config = TrainConfig(
        epochs=arguments.epochs,
        batch_size=100,
        patience=None,
        keep_best=False,
        seed=seed,
        device=arguments.device,
        **({"kl_annealing": KLAnnealing(duration=ANNEALING)} | variant.config),
    )
    if variant.kmeans:
        clusters = kmeans_clusters(transform.mean_input(x.to(device)), CLUSTERS, seed=seed)
        initialize(gmvae, x, clusters, config, transform=transform)
    history = fit(gmvae, x, config, transform=transform).history
    test = evaluate(
        gmvae,
        splits.test.x,
        labels=splits.test.y,
        num_samples=arguments.samples,
        transform=transform,
        encode_mean=transform.mean_input,
    )
    return {"kl_y": history[-1]["kl_y"], **test.to_dict()}


if __name__ == "__main__":
    script(main)
