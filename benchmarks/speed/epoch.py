"""Time an epoch of MNIST for each method and way to train.

`pyro_gmvae.training.fit` is called as a user calls it, at K = 10 and batch 256; loop, binarisation
and watch are timed with it. A figure is the median over the epochs after the first. The first epoch
may compile, so its time stands apart. Where MNIST is not in --data-dir, random pixels of its shape
take its place, and the report says so: the time does not depend on the pixels.

    python -m benchmarks epoch --data-dir data --out benchmarks/results/epoch.json

The ways are eager; as the trainer chooses for so many steps; compiled; and compiled with the
networks in bfloat16. A way that this machine does not have is n/a.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring.options import Parser, at_least, hidden_sizes
from benchmarks.measuring.report import Report
from benchmarks.measuring.resolved_config import resolved
from pyro_gmvae.data import ImageEncoding, load
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import CaptureError
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainConfig, fit

WAYS: dict[str, dict[str, Any]] = {
    "eager": {"compile": "off", "precision": "float32"},
    "auto": {"compile": "auto", "precision": "auto"},
    "compiled": {"compile": "on", "precision": "float32"},
    "bfloat16": {"compile": "on", "precision": "bfloat16"},
}
SMALL = {
    "methods": ["concrete"],
    "ways": ["eager"],
    "hidden": (8, 8),
    "rows": 64,
    "batch": 32,
    "epochs": 2,
}
FULL = {"epochs": 6}
ROWS = 60_000


def main(argv: Sequence[str]) -> None:
    parser = Parser("epoch", __doc__, small=SMALL, full=FULL)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--ways", nargs="+", default=["eager", "compiled"], choices=list(WAYS))
    parser.add_argument("--clusters", type=at_least(2), default=10)
    parser.add_argument("--latent", type=at_least(1), default=10)
    parser.add_argument("--hidden", type=hidden_sizes, default=(512, 512), metavar="N,N")
    parser.add_argument("--batch", type=at_least(1), default=256)
    parser.add_argument("--rows", type=at_least(1), default=ROWS, help="rows of an epoch, at most")
    parser.add_argument(
        "--epochs", type=at_least(2), default=3, help="epochs, the first of which warms up"
    )
    parser.add_argument("--data-dir", default="data")
    arguments = parser.read(argv)
    report = Report("epoch", arguments)
    x, source = images(arguments)
    report.set(data=source, rows=len(x))
    report.say(f"{len(x)} rows of {source}; seconds per epoch")
    report.header("method  ", *arguments.ways)
    for method in arguments.methods:
        seconds = {way: measure_way(method, way, x, arguments, report) for way in arguments.ways}
        report.line(method, *(None if s is None else f"{s:.2f}" for s in seconds.values()))
    report.close()


def images(arguments: Namespace) -> tuple[Tensor, str]:
    """Return MNIST's training images or random ones, and which of the two they are."""
    try:
        data = load("mnist", split="train", data_dir=arguments.data_dir)
        return data.x[: arguments.rows], "mnist"
    except InputError:
        rows = min(arguments.rows, ROWS)
        return torch.randint(256, (rows, 1, 28, 28), dtype=torch.uint8), "random pixels"


def measure_way(
    method: str, way: str, x: Tensor, arguments: Namespace, report: Report
) -> float | None:
    """Return the seconds of an epoch; None if this way is not possible here."""
    row = {"method": method, "way": way}
    config = TrainConfig(
        epochs=arguments.epochs,
        batch_size=arguments.batch,
        patience=None,
        seed=arguments.seed,
        device=arguments.device,
    )
    torch.manual_seed(arguments.seed)
    event_shape = tuple(x.shape[1:])
    gmvae = METHODS[method](
        event_shape, arguments.clusters, arguments.latent, hidden=arguments.hidden
    )
    transform = ImageEncoding(event_shape, "dynamic")
    try:
        config = resolved(config, gmvae, x, transform=transform, **WAYS[way])
        result = fit(gmvae, x, config, transform=transform)
    except (InputError, CaptureError) as error:
        report.add(**row, not_applicable=str(error))
        return None
    first, *others = [record["seconds"] for record in result.history]
    report.add(**row, seconds=median(others), first_epoch_seconds=first, epochs=others)
    return median(others)
