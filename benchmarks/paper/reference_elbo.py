"""Compare the held-out ELBO on MNIST after 25,000 steps with a public implementation's.

That implementation of the exact GMVAE (Z = 64, two hidden layers of 512, batch 100, Adam 1e-3,
dynamically binarised MNIST, no annealing) ended its seven runs between 94.8 and 95.5 nats of -ELBO.
Here the same network is trained by each method, and -ELBO is evaluated on the test images with y
summed and one z per y. The networks of the Concrete and the sparse method are judged by the exact
ELBO, too.

    python -m benchmarks reference-elbo --full --data-dir data \
        --out benchmarks/results/reference_elbo.json

Without --full it takes a fiftieth of the steps. Each method's row names its own machine and commit,
so that methods may be run one at a time: the rows of the others stay in --out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import torch

from benchmarks.measuring.machine import describe
from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.other_method import in_method
from benchmarks.measuring.report import write_json
from benchmarks.measuring.resolved_config import resolved
from pyro_gmvae.data import Encoding, ImageEncoding, load
from pyro_gmvae.inference import Schedule, TraceEnumMeanField_ELBO
from pyro_gmvae.models import METHODS
from pyro_gmvae.models.gmvae import GMVAE
from pyro_gmvae.training import ProgressBar, TrainConfig, fit


def exact_loss(gmvae: GMVAE, raw: torch.Tensor, transform: Encoding) -> float:
    """Return the mean -ELBO in nats, with y summed in closed form and one z per y."""
    if gmvae.method in ("concrete", "sparse"):
        gmvae = in_method(gmvae, "exact")
    gmvae.weights.set(kl_weight=1.0, z_kl_weight=1.0)
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    torch.manual_seed(1)
    with torch.no_grad():
        losses = [elbo.terms(gmvae.model, gmvae.guide, transform(x)).loss for x in raw.split(500)]
    return float(sum(losses)) / len(raw)


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "reference-elbo",
        __doc__,
        small={"steps": 2, "methods": ["concrete"]},
        full={"steps": 25_000},
    )
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--steps", type=at_least(1), default=500)
    arguments = parser.read(argv)
    quiet = arguments.quiet or arguments.json

    train = load("mnist", split="train", data_dir=arguments.data_dir)
    test = load("mnist", split="test", data_dir=arguments.data_dir)
    transform = ImageEncoding(train.event_shape, "dynamic")
    rows = {}
    if arguments.out and arguments.out.exists():
        rows = {row["method"]: row for row in json.loads(arguments.out.read_text())["results"]}
    for method in arguments.methods:
        torch.manual_seed(arguments.seed)
        gmvae = METHODS[method](train.event_shape, 10, 64, hidden=(512, 512))
        config = TrainConfig(
            epochs=1000,
            max_steps=arguments.steps,
            batch_size=100,
            clip_norm=None,
            kl_annealing=Schedule(),
            seed=arguments.seed,
            device=arguments.device,
        )
        machine = describe()
        started, cpu_started = time.perf_counter(), time.process_time()
        config = resolved(config, gmvae, train.x, transform=transform)
        fit(gmvae, train.x, config, transform=transform, reporters=[] if quiet else [ProgressBar()])
        seconds = time.perf_counter() - started
        cpu_seconds = time.process_time() - cpu_started
        gmvae.cpu()
        rows[method] = {
            "method": method,
            "steps": arguments.steps,
            "seed": arguments.seed,
            "test_negative_elbo": exact_loss(gmvae, test.x, transform),
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "machine": machine,
        }
        if not quiet:
            words = "{method:10s} -ELBO {test_negative_elbo:.2f} nats  {seconds:.0f} s"
            print(words.format(**rows[method]))
        report = {"benchmark": "reference-elbo", "results": list(rows.values())}
        if arguments.out:
            write_json(arguments.out, report)
    if arguments.json:
        print(json.dumps(report))
