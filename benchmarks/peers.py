"""How does training compare with other packages: time, memory, accuracy and likelihood on MNIST?

The same network (hidden layers 512-512 both ways, ReLU, Z = 10, K = 10), batch (256), Adam, epochs
and images through this package's exact, Concrete and sparse method, ClustPy's VaDE, pyroved's
jiVAE, pythae's VAE and scikit-learn's GaussianMixture. Each trains in a process of its own, one
after the other, by the entry point its documentation names and by its own defaults where nothing
above fixes them; a round of all is repeated with another seed. What differs between them all the
same stands at the top of each ``peers_*.py``. An epoch's time is the median over rounds and over
all epochs but each first one; a ratio is the median over rounds of that round's ratio. Memory is
the process's peak of resident memory up to the end of the training. Pixels are 1 from grey 128 on.
Accuracies are of the test images and say little after so few epochs: ask for more with --epochs.

The peers bring old requirements along (pyroved even a package ``tests``), so that they are better
kept in an environment of their own:

    python -m venv .venv-peers
    .venv-peers/bin/pip install -e ".[peers]"
    .venv-peers/bin/python benchmarks/peers.py --data-dir data --out benchmarks/results/peers.json
    .venv-peers/bin/python benchmarks/peers.py --data-dir data --full     # all 60,000 images
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.cells import hidden_sizes
from benchmarks.peers_images import write_images
from benchmarks.peers_known import PEERS
from benchmarks.peers_start import PeerFailedError, make_task, start
from benchmarks.peers_table import Rows, summarise
from benchmarks.report import Parser, Report, script
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import clustering_scores

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


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(__doc__, small=SMALL, full=FULL)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--source", default="mnist", help="an image set of `pyro_gmvae.data.load`")
    parser.add_argument("--data-dir", default="data", help="where the image set is")
    parser.add_argument("--images", type=int, default=10_000, help="to train on, the first ones")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--pretrain-epochs", type=int, help="of VaDE; default: as many")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, each with another seed")
    parser.add_argument("--hidden", type=hidden_sizes, default=(512, 512), metavar="N,N")
    parser.add_argument("--latent", type=int, default=10)
    parser.add_argument("--clusters", type=int, default=10, metavar="K")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument(
        "--compile",
        default="auto",
        choices=["auto", "yes", "no"],
        help="ours; auto does on a CPU only in long trainings",
    )
    arguments = parser.read(argv)
    arguments.threads = arguments.threads or torch.get_num_threads()
    if arguments.pretrain_epochs is None:
        arguments.pretrain_epochs = arguments.epochs
    for name in ("epochs", "pretrain_epochs", "repeats", "images"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    # Where somebody keeps the images is nobody else's business.
    public = {name: value for name, value in vars(arguments).items() if name != "data_dir"}
    report = Report("peers", Namespace(**public))
    names = present(arguments, report)
    with TemporaryDirectory() as folder:
        images = Path(folder) / "images.npz"
        source, where = arguments.source, arguments.data_dir
        labels = write_images(images, source, where, arguments.images)
        rows = measure(arguments, names, images, labels, report)
    summarise(rows, report)
    report.close()


def present(arguments: Namespace, report: Report) -> list[str]:
    """Those of the wanted peers that are installed; of the others a line says how to get them."""
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
    arguments: Namespace, names: list[str], images: Path, labels: torch.Tensor, report: Report
) -> Rows:
    """Rounds of all peers in turn, A B C A B C ...."""
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


if __name__ == "__main__":
    script(main)
