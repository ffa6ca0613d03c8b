"""What torchrun starts twice: trains, and leaves each process's weights in a file of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from accelerate import PartialState
from safetensors.torch import save_file

from pyro_gmvae.fitting.starts import information
from pyro_gmvae.fitting.starts.information import maximize_information
from pyro_gmvae.models import AdversarialPerturbation, Regularizer
from pyro_gmvae.training import MetricsCSV, fit
from tests.helpers.tiny import blobs, quick, tiny, weights_of


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    sizes = {"exact": 49, "concrete": 53, "sparse": 48, "marginal": 50}
    for method, size in sizes.items():
        x, y = blobs(size)
        rank = PartialState(cpu=True).process_index
        gmvae = tiny(method, seed=rank)  # the processes begin apart
        result = fit(
            gmvae,
            x,
            quick(epochs=4),
            labels=torch.where(y == 0, 0, -1),
            validation=x,
            checkpoint=folder / f"{method}.state.safetensors",
            reporters=[MetricsCSV(folder / f"{method}.csv")],
        )
        # In batches of 16; a last one of 1 is too small to share, one of 5 is shared unequally.
        assert result.n_steps == (16 if size > 49 else 12)
        save_file(weights_of(gmvae), folder / f"{method}.{rank}.safetensors")
    start_by_information(folder)
    PartialState().destroy_process_group()


def start_by_information(folder: Path) -> None:
    """Begin by the regulariser alone, where the networks of z get no gradient."""
    information.MIN_STEPS = 60
    rank = PartialState().process_index
    gmvae = tiny("sparse", seed=rank)
    gmvae.regularize(Regularizer(AdversarialPerturbation(0.5)))
    maximize_information(gmvae, blobs(48)[0], quick(), epochs=1)
    save_file(weights_of(gmvae), folder / f"information.{rank}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
