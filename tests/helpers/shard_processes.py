"""What torchrun starts: trainings on shards, in step, or with a worker that kills itself once."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from safetensors.torch import save_file
from torch import Tensor
from torch.distributions import normal

from pyro_gmvae.data import ResidentBatches, Schema
from pyro_gmvae.data.schema import Column
from pyro_gmvae.data.shards.groups import groups_of
from pyro_gmvae.data.shards.parts import ParquetPart, parts_of
from pyro_gmvae.data.shards.stream import Stream
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.tasks.train import train_run
from pyro_gmvae.training import Record, Reporter, TrainResult, fit
from tests.helpers.tiny import blobs, quick, tiny, weights_of
from tests.helpers.uneven_processes import no_noise

KILLED_AT = 30  # step


def fit_shards(
    table: Path, *, epochs: int = 2, checkpoint: Path | None = None, resume: bool = False
) -> tuple[dict[str, Tensor], TrainResult]:
    """A training in two lanes, the same whatever the processes draw."""
    gmvae = tiny("exact").double()
    parts = [p for p in parts_of(table) if isinstance(p, ParquetPart)]
    schema = Schema(tuple(Column(f"x{i}") for i in range(4)))
    stream = Stream(groups_of(parts, np.array([3, 77])), schema, ())
    some = blobs(50, seed=1, dtype=torch.float64)[0]
    batches = stream.batches(33, sampled=some, lanes=2)  # 17 rows and 16
    result = fit(
        gmvae,
        batches,
        quick(epochs=epochs),
        validation=ResidentBatches(some, 7, shuffle=False),
        checkpoint=checkpoint,
        resume=resume,
    )
    return weights_of(gmvae), result


def in_step(table: Path, folder: Path) -> None:
    rank = PartialState(cpu=True).process_index
    weights, result = fit_shards(table)
    save_file(weights, folder / f"weights.{rank}.safetensors")
    (folder / f"history.{rank}.json").write_text(json.dumps(result.history))


class Fatal(Reporter):
    """Kills its process at a step of the first try, and notes where each try begins."""

    def __init__(self, folder: Path, killed: bool) -> None:
        self.folder, self.first, self.steps = folder, True, 0
        self.killed = killed and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"

    def start(self, total_steps: int, history: list[Record]) -> None:
        self.first = True

    def step(self, step: int) -> None:
        if self.first:
            self.first = False
            with (self.folder / "begins").open("a") as file:
                file.write(f"{step}\n")
        if self.killed and step == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)


def run(table: Path, folder: Path, killed: bool) -> None:
    settings = Settings.of(
        str(table), stream="on", clusters=3, epochs=2, batch_size=64, checkpoint_seconds=0.0,
        method="exact", clusters_are="held", device="cpu", hidden=(8,),
    )  # fmt: skip
    reporter = Fatal(folder, killed)
    train_run(settings, folder / "run", report=False, reporters=[reporter])


def main(mode: str, table: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    normal._standard_normal = no_noise
    if mode == "in-step":
        in_step(table, folder)
    else:
        run(table, folder, killed=mode == "killed")
    PartialState().destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
