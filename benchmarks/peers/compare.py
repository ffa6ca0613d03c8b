"""Compare training with other packages: time, memory, accuracy and likelihood on MNIST.

This package's exact, Concrete and sparse method, ClustPy's VaDE, pyroved's jiVAE, pythae's VAE and
scikit-learn's GaussianMixture train on the same images. They have the same network (hidden layers
512-512 both ways, ReLU, Z = 10, K = 10), batch (256), optimizer (Adam) and number of epochs. Each
trains in a process of its own, one after the other, by the entry point that its documentation names
and by its own defaults where nothing above fixes them. A round of all is repeated with another
seed. The differences that remain are listed at the top of each ``run_*.py``. An epoch's time is the
median over rounds and over all epochs but the first of each; a ratio is the median over rounds of
that round's ratio. Memory is the process's peak of resident memory until the training ends. Pixels
are 1 from grey 128 on. Accuracies are those of the test images; after so few epochs they say
little, so ask for more by --epochs.

The peers bring old requirements along (pyroved even a package ``tests``), so that an environment of
their own is best:

    python -m venv .venv-peers
    .venv-peers/bin/pip install -e ".[peers]"
    .venv-peers/bin/python -m benchmarks peers --data-dir data --out benchmarks/results/peers.json
    .venv-peers/bin/python -m benchmarks peers --data-dir data --full     # all 60,000 images
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring.options import Parser, hidden_sizes
from benchmarks.measuring.processes import environment
from benchmarks.measuring.report import Report
from benchmarks.peers.registry import PEERS
from benchmarks.peers.summary_table import Rows, summarise
from benchmarks.peers.task import Compile, Task
from pyro_gmvae.data import ImageEncoding, load_splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import clustering_scores

COMPILE: dict[str, Compile] = {"auto": "auto", "yes": "on", "no": "off"}
# The variables that set how many threads a library multiplies matrices with.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SMALL = {
    "source": "digits",
    "peers": ["exact", "concrete", "sparse", "sklearn-gmm"],
    "images": 512,
    "hidden": (8, 8),
    "batch": 64,
    "epochs": 2,
    "repeats": 1,
}
FULL = {"images": None, "epochs": 5}


def main(argv: Sequence[str]) -> None:
    parser = Parser("peers", __doc__, small=SMALL, full=FULL)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--source", default="mnist", help="an image set of `pyro_gmvae.data.load`")
    parser.add_argument("--data-dir", default="data", help="folder of the image set")
    parser.add_argument(
        "--images", type=int, default=10_000, help="training images, the first ones"
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument(
        "--pretrain-epochs", type=int, help="epochs that VaDE pretrains; default: --epochs"
    )
    parser.add_argument("--repeats", type=int, default=3, help="rounds, each with another seed")
    parser.add_argument("--hidden", type=hidden_sizes, default=(512, 512), metavar="N,N")
    parser.add_argument("--latent", type=int, default=10)
    parser.add_argument("--clusters", type=int, default=10, metavar="K")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument(
        "--compile",
        default="auto",
        choices=list(COMPILE),
        help="whether our steps are compiled; auto compiles long trainings only",
    )
    arguments = parser.read(argv)
    arguments.threads = arguments.threads or torch.get_num_threads()
    if arguments.pretrain_epochs is None:
        arguments.pretrain_epochs = arguments.epochs
    for name in ("epochs", "pretrain_epochs", "repeats", "images"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    report = Report("peers", arguments)
    names = present(arguments, report)
    with TemporaryDirectory() as folder:
        images = Path(folder) / "images.npz"
        source, where = arguments.source, arguments.data_dir
        labels = write_images(images, source, where, arguments.images)
        rows = measure(arguments, names, images, labels, report)
    summarise(rows, report)
    report.close()


def present(arguments: Namespace, report: Report) -> list[str]:
    """Return the wanted peers that are installed, and say how to get the others."""
    wanted = [name for name in arguments.peers if PEERS[name].installed]
    for name in arguments.peers:
        if name not in wanted:
            report.say(
                f"{name} is left out: {PEERS[name].distribution} is not installed. Get it by "
                'pip install -e ".[peers]", best in an environment of its own.'
            )
    if not wanted:
        raise InputError("none of these peers is installed")
    packages = {PEERS[name].distribution for name in wanted}
    report.set(versions={package: version(package) for package in sorted(packages)})
    return wanted


def measure(
    arguments: Namespace, names: list[str], images: Path, labels: Tensor, report: Report
) -> Rows:
    """Train all peers in rounds, A B C A B C ...."""
    rows: Rows = {}
    for repeat in range(arguments.repeats):
        for name in names:
            if PEERS[name].once and repeat > 0:
                continue
            task = make_task(arguments, name, arguments.seed + repeat, images)
            try:
                row = start(task, arguments.threads)
            except PeerFailedError as error:
                report.say(f"round {repeat + 1}, {name}: {error}")
                report.add(peer=name, seed=task.seed, failed=str(error))
                continue
            clusters = row.pop("clusters")
            accuracy = None
            if clusters is not None:
                accuracy = clustering_scores(labels, torch.tensor(clusters)).accuracy
            row |= {"peer": name, "seed": task.seed, "accuracy": accuracy}
            rows.setdefault(name, []).append(row)
            report.add(**row)
            report.say(f"round {repeat + 1}, {name}: trained in {row['training_seconds']:.1f} s")
    return rows


def write_images(path: Path, source: str, data_dir: str, n_images: int | None) -> Tensor:
    """Write the pixels of ``source`` for `Task.data`, and return the test images' labels.

    Raises:
        InputError: for a source without labelled images.
    """
    splits = load_splits(source, seed=0, validation_fraction=0, data_dir=data_dir)
    if splits.test.kind is not ImageEncoding or splits.test.class_labels is None:
        raise InputError(f"{source} is not a set of labelled images: use mnist or digits.")
    train, test = splits.train.x[:n_images].flatten(1), splits.test.x.flatten(1)
    np.savez(path, train=train.numpy(), test=test.numpy())
    return splits.test.class_labels


def make_task(arguments: Namespace, peer: str, seed: int, images: Path) -> Task:
    """Describe the training of ``peer``."""
    return Task(
        peer=peer,
        data=str(images),
        clusters=arguments.clusters,
        latent=arguments.latent,
        hidden=arguments.hidden,
        batch=arguments.batch,
        epochs=arguments.epochs,
        pretrain_epochs=arguments.pretrain_epochs,
        learning_rate=arguments.learning_rate,
        seed=seed,
        device=arguments.device,
        compile=COMPILE[arguments.compile],
        folder=str(images.parent / f"{peer}-{seed}"),
    )


class PeerFailedError(Exception):
    """Raised if a peer's process ends without figures; the message is its last line."""


def start(task: Task, threads: int) -> dict[str, Any]:
    """Train a peer in a process with so many threads, and return its figures.

    Raises:
        PeerFailedError: if the process fails; its output stays in the task's folder.
    """
    folder = Path(task.folder)
    folder.mkdir(parents=True, exist_ok=True)
    given, outcome, log = (folder / name for name in ("task.json", "outcome.json", "log.txt"))
    given.write_text(json.dumps(asdict(task)))
    own = environment(dict.fromkeys(THREADS, str(threads)))
    command = [sys.executable, "-m", "benchmarks.peers.worker", str(given), str(outcome)]
    # Progress bars and all else that a peer prints go to a file, where they cost next to nothing.
    with log.open("w") as printed:
        done = subprocess.run(
            command, env=own, stdout=printed, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0 or not outcome.exists():
        lines = log.read_text().strip().splitlines() or ["it printed nothing"]
        raise PeerFailedError(f"failed with exit code {done.returncode}: {lines[-1]}")
    figures: dict[str, Any] = json.loads(outcome.read_text())
    return figures
