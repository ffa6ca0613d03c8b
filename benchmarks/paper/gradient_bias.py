"""Measure how far each method's gradient of q(y|x) is from that of the exact sum over clusters.

The exact method trains for a while on the digits. At its weights the gradient of the cluster
encoder is averaged over many draws, for each method. The error is the length of the difference from
the exact method's mean, divided by the length of that mean. The row "exact" is a second set of the
exact method's draws: its error is chance. The spread is the root mean squared distance of one
draw's gradient from its mean, in the same unit.

    python -m benchmarks gradient-bias --out benchmarks/results/gradient_bias.json
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.measuring.resolved_config import resolved
from benchmarks.paper.kmeans_start import start_near_kmeans
from pyro_gmvae.data import ImageEncoding, load
from pyro_gmvae.inference import Schedule, TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE, METHODS
from pyro_gmvae.training import TrainConfig, fit

ESTIMATES: dict[str, tuple[str, dict[str, Any]]] = {
    "exact": ("exact", {}),
    "concrete, tau 1": ("concrete", {"temperature": 1.0}),
    "concrete, tau 0.5": ("concrete", {"temperature": 0.5}),
    "concrete, tau 0.2": ("concrete", {"temperature": 0.2}),
    "sparse, m = 1": ("sparse", {"n_likeliest": 1}),
    "sparse, m = 2": ("sparse", {"n_likeliest": 2}),
}
SIZES = {"clusters": 10, "latent": 10, "hidden": 64}
BATCH = 100


def main(argv: Sequence[str]) -> None:
    small = {"draws": 4, "epochs": 1}
    parser = Parser("gradient-bias", __doc__, small=small, full={"draws": 20_000})
    parser.add_argument("--draws", type=at_least(2), default=4_000)
    parser.add_argument(
        "--epochs", type=at_least(1), default=20, help="epochs of the exact training"
    )
    arguments = parser.read(argv)
    report = Report("gradient-bias", arguments)
    weights, x = trained(arguments)
    torch.manual_seed(arguments.seed)
    truth, _ = mean_gradient(built("exact", {}, weights, x), x, arguments.draws)
    report.header("gradient of" + " " * 8, "error", "spread")
    for name, (method, options) in ESTIMATES.items():
        mean, spread = mean_gradient(built(method, options, weights, x), x, arguments.draws)
        error = ((mean - truth).norm() / truth.norm()).item()
        spread = spread / truth.norm().item()
        report.add(estimate=name, error=error, spread=spread)
        report.line(name, f"{error:.3f}", f"{spread:.2f}")
    report.close()


def trained(arguments: Namespace) -> tuple[dict[str, Tensor], Tensor]:
    """Train by the exact method; return the weights and a batch of the data."""
    data = load("digits")
    x = ImageEncoding(data.event_shape, "static")(data.x).flatten(1)
    torch.manual_seed(arguments.seed)
    gmvae = built("exact", {}, None, x)
    config = TrainConfig(
        epochs=arguments.epochs,
        batch_size=BATCH,
        kl_annealing=Schedule(),
        patience=None,
        seed=arguments.seed,
        device=arguments.device,
    )
    config = resolved(config, gmvae, x)
    start_near_kmeans(gmvae, x, config, seed=arguments.seed)
    fit(gmvae, x, config)
    return gmvae.state_dict(), x[:BATCH].to(arguments.device)


def built(
    method: str, options: dict[str, Any], weights: dict[str, Tensor] | None, x: Tensor
) -> GMVAE:
    """Make a model with given weights; all methods but the marginal one share their names."""
    gmvae = METHODS[method](
        x.shape[1], SIZES["clusters"], SIZES["latent"], hidden=(SIZES["hidden"],), **options
    )
    if weights is not None:
        gmvae.load_state_dict(weights)
    return gmvae.to(x.device)


def mean_gradient(gmvae: GMVAE, x: Tensor, draws: int) -> tuple[Tensor, float]:
    """Return the mean gradient by the cluster encoder's parameters, and the spread of draws."""
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    parameters = [*gmvae.guide.cluster_encoder.parameters(), *gmvae.guide.y_head.parameters()]
    total = torch.zeros(sum(p.numel() for p in parameters), dtype=torch.float64, device=x.device)
    squares = torch.zeros((), dtype=torch.float64, device=x.device)
    for _ in range(draws):
        loss = elbo.differentiable_loss(gmvae.model, gmvae.guide, x)
        gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]).double()
        total += gradient
        squares += gradient.square().sum()
    mean = total / draws
    return mean, (squares / draws - mean.square().sum()).clamp(min=0).sqrt().item()
