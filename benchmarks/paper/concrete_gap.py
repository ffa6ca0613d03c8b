"""Measure how far the Concrete method ends from the exact one, and what closes the gap.

Every variant begins from the same weights near the same k-means clustering of reduced MNIST, takes
the same batches for equally many epochs, and is judged by the importance-sampled log-likelihood of
the discrete model. A figure is a difference from the exact method with the same seed, in nats.

The learning rate falls to zero along a cosine. A training that ends by another method has two
parts: the rate is constant in the first, and falls in the last fifth of the epochs. That alone
changes the likelihood by nats, so such a training is compared with the exact method in two parts.

    python -m benchmarks concrete-gap --data-dir data --out benchmarks/results/concrete_gap.json

Each training is a JSON file in the folder --cells, and the same command goes on where it stopped.

The variants: other temperatures; a temperature that falls; more particles; draws that are one-hot,
with the gradient of the relaxed ones (straight-through); and a last fifth by the sparse method,
whose gradient has no bias.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from benchmarks.measuring.finished_cells import add_cells_option
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.other_method import in_method
from benchmarks.measuring.report import Report
from benchmarks.measuring.resolved_config import resolved
from benchmarks.measuring.study_cells import machines_of, run_cells
from benchmarks.measuring.summary import spread
from benchmarks.paper.kmeans_start import start_near_kmeans
from benchmarks.paper.reduced_mnist import BATCH_SIZE, ReducedMNIST
from pyro_gmvae.distributions import ConcreteCategorical
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.models import METHODS, ConcreteGMVAE
from pyro_gmvae.models.gmvae import GMVAE
from pyro_gmvae.models.guides import ConcreteGuide
from pyro_gmvae.training import TrainConfig, fit

HIDDEN = 256
ANNEALING = 8.0  # epochs
LAST_SHARE = 0.2  # of the epochs


class StraightThrough(ConcreteCategorical):
    """Draw one-hot values, with the gradient of the relaxed ones (Bengio et al. 2013)."""

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        soft = super().rsample(sample_shape)
        hard = one_hot(soft.argmax(-1), soft.shape[-1]).to(soft)
        return hard + (soft - soft.detach())


class StraightThroughGuide(ConcreteGuide):
    """Infer y by straight-through draws."""

    def q_y(self, logits: Tensor) -> dist.TorchDistribution:
        return StraightThrough(self.weights.temperature, logits=logits)


class StraightThroughGMVAE(ConcreteGMVAE):
    """Train the Concrete pair by straight-through draws."""

    guide_class = StraightThroughGuide


@dataclass(frozen=True)
class Variant:
    """Describe one way to train.

    Attributes:
        pair: the class of the pair.
        options: arguments of the model.
        config: arguments of `TrainConfig`.
        finish: the method of the last fifth of the epochs; None for a training in one part.
    """

    pair: type[GMVAE] = ConcreteGMVAE
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    finish: str | None = None

    @property
    def exact(self) -> str:
        """Name the exact variant that this one is compared with."""
        return "exact" if self.finish is None else "exact in two parts"


def falling(epochs: int) -> Schedule:
    """Return a temperature that falls from 1 to 0.2 over the whole training."""
    return Schedule("linear", start=1.0, end=0.2, duration=float(epochs))


def variants(epochs: int) -> dict[str, Variant]:
    """Return the variants by name."""
    return {
        "exact": Variant(METHODS["exact"]),
        "sparse": Variant(METHODS["sparse"]),
        "concrete": Variant(),
        "temperature 0.2": Variant(options={"temperature": 0.2}),
        "temperature 1": Variant(options={"temperature": 1.0}),
        "temperature 1 to 0.2": Variant(
            options={"temperature": 1.0}, config={"temperature": falling(epochs)}
        ),
        "4 particles": Variant(config={"num_particles": 4}),
        "straight-through": Variant(StraightThroughGMVAE),
        "exact in two parts": Variant(METHODS["exact"], finish="exact"),
        "concrete in two parts": Variant(finish="concrete"),
        "sparse in the last fifth": Variant(finish="sparse"),
    }


SMALL = {
    "variants": ["exact", "exact in two parts", "sparse in the last fifth"],
    "seeds": 1,
    "rows": 60,
    "test_rows": 8,
    "epochs": 2,
    "samples": 25,
}


def main(argv: Sequence[str]) -> None:
    parser = Parser("concrete-gap", __doc__, small=SMALL, full={"rows": 60_000, "epochs": 60})
    names = list(variants(1))
    add_cells_option(parser)
    parser.add_argument("--variants", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--seeds", type=at_least(1), default=5, help="how many, from --seed on")
    parser.add_argument("--rows", type=at_least(20), default=6_000, help="training images")
    parser.add_argument("--test-rows", type=at_least(1), default=1_000)
    parser.add_argument("--epochs", type=at_least(2), default=30)
    parser.add_argument("--samples", type=at_least(21), default=500, help="importance samples")
    parser.add_argument("--data-dir", default="data")
    arguments = parser.read(argv)
    report = Report("concrete-gap", arguments)
    chosen = {n: v for n, v in variants(arguments.epochs).items() if n in arguments.variants}
    seeds = seeds_of(arguments)
    wanted = ({"variant": name, "seed": seed} for name in chosen for seed in seeds)
    settings = {
        name: getattr(arguments, name) for name in ("rows", "test_rows", "epochs", "samples")
    }

    def measure(variant: str, seed: int) -> dict[str, Any]:
        return trained(chosen[variant], seed, arguments)

    kept = run_cells("concrete-gap", arguments, report, wanted, settings, measure)
    cells = [cell for cell in kept if cell["variant"] in chosen and cell["seed"] in seeds]
    report.header("variant" + " " * 18, "log p - exact's", "log p", "ELBO", "I(x;y)", "clusters")
    reached = {(c["variant"], c["seed"]): c["log_likelihood"] for c in cells}
    for name, variant in chosen.items():
        found = [cell for cell in cells if cell["variant"] == name]
        log_p = [one["log_likelihood"] for one in found]
        gap = None
        if variant.exact in chosen:
            gap = [one["log_likelihood"] - reached[variant.exact, one["seed"]] for one in found]
        report.add(variant=name, gap=gap, tests=found)
        report.line(
            name,
            "" if gap is None else spread(gap, 2),
            spread(log_p, 2),
            spread([one["elbo"] for one in found], 2),
            spread([one["mutual_information"] for one in found], 2),
            spread([one["clusters_in_use"] for one in found], 1),
        )
    report.set(machines=machines_of(cells))
    report.close()


def trained(variant: Variant, seed: int, arguments: Namespace) -> dict[str, Any]:
    """Train once, and evaluate on test images."""
    images = ReducedMNIST.of(arguments)
    x, transform = images.splits.train.x, images.transform
    gmvae = images.pair(variant.pair, seed, hidden=HIDDEN, **variant.options)
    last = 0 if variant.finish is None else max(1, round(LAST_SHARE * arguments.epochs))
    config = TrainConfig(
        epochs=arguments.epochs - last,
        batch_size=BATCH_SIZE,
        learning_rate_schedule="constant" if last else "cosine",
        kl_annealing=KLAnnealing(duration=ANNEALING),
        patience=None,
        keep_best=False,
        seed=seed,
        device=arguments.device,
        **variant.config,
    )
    config = resolved(config, gmvae, x, transform=transform)
    start_near_kmeans(gmvae, x, config, seed=seed, transform=transform)
    fit(gmvae, x, config, transform=transform)
    if variant.finish is not None:
        gmvae = in_method(gmvae, variant.finish)
        end = replace(config, epochs=last, kl_annealing=Schedule(), learning_rate_schedule="cosine")
        fit(gmvae, x, resolved(end, gmvae, x, transform=transform), transform=transform)
    return images.judged(gmvae, arguments.samples)
