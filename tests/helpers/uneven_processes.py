"""Give torchrun processes that meet trouble: another number of them, a kill, a missing file."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch
from accelerate import PartialState
from safetensors.torch import save_file
from torch import Tensor
from torch.distributions import normal

from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.tasks.train import train_run
from pyro_gmvae.training import Record, Reporter, TrainingInterrupted, fit
from tests.helpers.tiny import blobs, quick, tiny, weights_of


def no_noise(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.zeros(shape, dtype=dtype, device=device)


def fit_without_noise(checkpoint: Path, *, epochs: int, resume: bool = False) -> dict[str, Tensor]:
    """Weights after a training that is the same whatever the processes draw."""
    gmvae = tiny("exact").double()
    x = blobs(53, dtype=torch.float64)[0]  # in batches of 8, the last of 5 rows: 3 and 2
    fit(gmvae, x, quick(epochs=epochs, batch_size=8), checkpoint=checkpoint, resume=resume)
    return weights_of(gmvae)


class Slowly(Reporter):
    """Leaves a sign after each epoch, and time for a signal."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def epoch(self, record: Record) -> None:
        self.sign.write_text(f"{record['epoch']:.0f}")
        time.sleep(0.05)


def in_step(folder: Path, rank: int) -> None:
    """Train in two, continue one process's training, and leave one for it to continue."""
    normal._standard_normal = no_noise
    for name, options in {
        "unbroken": {"epochs": 4},
        "from-one": {"epochs": 4, "resume": True},
        "to-one": {"epochs": 2},
    }.items():
        weights = fit_without_noise(folder / f"{name}.state.safetensors", **options)
        save_file(weights, folder / f"{name}.{rank}.safetensors")


def endless(folder: Path, rank: int) -> None:
    """Train until a signal comes; say how it ended."""
    (folder / f"pid.{rank}").write_text(str(os.getpid()))
    gmvae, x = tiny("exact"), blobs(48)[0]
    config = quick(epochs=100_000, patience=None)
    reporters = [Slowly(folder / "epoch")]
    try:
        fit(gmvae, x, config, checkpoint=folder / "state.safetensors", reporters=reporters)
    except TrainingInterrupted:
        (folder / f"interrupted.{rank}").touch()
        raise


def missing_file(folder: Path, rank: int) -> None:
    """Train on a file that the second process does not have."""
    own = folder / str(rank)
    own.mkdir(exist_ok=True)
    if rank == 0:
        (own / "x.csv").write_text("a,b\n" + "1,2\n3,5\n" * 40)
    os.chdir(own)
    settings = Settings.of("x.csv", epochs=2, hidden=(4,), clusters=2, compile="off")
    train_run(settings, folder / "run")


def main(mode: str, folder: Path) -> None:
    torch.set_num_threads(1)
    if mode == "missing-file":  # the process group has not been made when the file is read
        missing_file(folder, int(os.environ["RANK"]))
        return
    rank = PartialState(cpu=True).process_index
    {"in-step": in_step, "endless": endless}[mode](folder, rank)
    PartialState().destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
