"""Compare the likelihood after training in bfloat16 with that after training in float32.

Both train on scikit-learn's digits, binarised dynamically, from the same first weights and with the
same noise for each seed. The figure is the log-likelihood of the rows held out, importance-sampled
in float32 for both.

    python -m benchmarks precision --out benchmarks/results/precision.json

A processor without bfloat16 in hardware emulates it, slowly; the likelihood is the same.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from statistics import mean, stdev

import torch

from benchmarks.measuring.options import Parser, at_least, hidden_sizes, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.resolved_config import Precision, resolved
from pyro_gmvae.data import ImageEncoding, Splits, load_splits
from pyro_gmvae.evaluation import log_likelihood
from pyro_gmvae.inference import KLAnnealing
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainConfig, fit

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
SMALL = {"methods": ["concrete"], "hidden": (8,), "epochs": 1, "seeds": 2, "samples": 5}
FULL = {"epochs": 150, "seeds": 5}


def main(argv: Sequence[str]) -> None:
    parser = Parser("precision", __doc__, small=SMALL, full=FULL)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--hidden", type=hidden_sizes, default=(128, 128), metavar="N,N")
    parser.add_argument("--epochs", type=at_least(1), default=40)
    parser.add_argument("--seeds", type=at_least(2), default=3, help="trainings of each kind")
    parser.add_argument(
        "--samples", type=at_least(1), default=200, help="importance samples of the likelihood"
    )
    arguments = parser.read(argv)
    report = Report("precision", arguments)
    report.say("log p(x) of held-out digits in nats; the difference is paired by seed")
    report.header("method  ", *PRECISIONS, "difference", "its s.e.")
    for method in arguments.methods:
        ends = {p: [end(method, p, s, arguments) for s in seeds_of(arguments)] for p in PRECISIONS}
        differences = [b - a for a, b in zip(*ends.values(), strict=True)]
        error = stdev(differences) / len(differences) ** 0.5
        figures = [*map(mean, ends.values()), mean(differences), error]
        report.line(method, *(f"{figure:.2f}" for figure in figures))
        report.add(
            method=method,
            log_likelihood=ends,
            difference=mean(differences),
            difference_se=error,
        )
    report.close()


def end(method: str, precision: Precision, seed: int, arguments: Namespace) -> float:
    """Return the held-out log-likelihood after one training."""
    splits: Splits = load_splits("digits", seed=0)
    transform = ImageEncoding(splits.train.event_shape, "dynamic")
    config = TrainConfig(
        epochs=arguments.epochs,
        batch_size=64,
        learning_rate=3e-3,
        kl_annealing=KLAnnealing(duration=arguments.epochs / 4),
        seed=seed,
        device=arguments.device,
    )
    torch.manual_seed(seed)
    gmvae = METHODS[method](splits.train.event_shape, 10, 10, hidden=arguments.hidden)
    x = splits.train.x
    config = resolved(config, gmvae, x, transform=transform, compile="off", precision=precision)
    fit(gmvae, x, config, transform=transform)
    held_out = torch.cat([splits.validation.x, splits.test.x])
    return log_likelihood(
        gmvae.cpu(), held_out, num_samples=arguments.samples, transform=transform, diagnostics=False
    ).mean
