"""Measure one use of a table in a process of its own: seconds, rows and peak memory.

The file is a program: ``python -m benchmarks.scale.measured NAME FOLDER OPTIONS``, which prints
JSON. `in_process` starts it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring.processes import environment
from benchmarks.measuring.resident_memory import resident_bytes

__all__ = ["HIDDEN", "LATENT_DIM", "USES", "in_process"]

HIDDEN, LATENT_DIM = (128, 128), 6  # of the model that is trained

Figures = dict[str, Any]


def reading(folder: str, batch_size: int, epochs: int = 2, **_: Any) -> Figures:
    """Read all rows in batches as training does, and train nothing; the last epoch counts."""
    import torch

    splits = _splits(folder)
    assert splits.stream is not None
    batches = splits.stream.batches(batch_size, sampled=splits.train.x)
    batches.generator = torch.Generator().manual_seed(0)
    for _epoch in range(epochs):
        took = _timed(lambda: sum(len(x) for x, *_ in batches.epoch()))
    return took | {"rows": batches.n_rows}


def surveying(folder: str, **_: Any) -> Figures:
    """Draw the sample, describe the columns and check all cells, as before a training."""
    found: list[Any] = []
    took = _timed(lambda: found.append(_splits(folder)))
    return took | {"rows": found[0].n_rows}


def training(
    folder: str,
    batch_size: int,
    clusters: int,
    out: str,
    hidden: Sequence[int] = HIDDEN,
    latent_dim: int = LATENT_DIM,
) -> Figures:
    """Train for one epoch as the command does, its start and its files included."""
    from pyro_gmvae.fitting.settings import Settings
    from pyro_gmvae.tasks.train import train_run

    settings = Settings.of(
        folder,
        clusters=clusters,
        hidden=hidden,
        latent_dim=latent_dim,
        batch_size=batch_size,
        epochs=1,
        stream="on",
        clusters_are="held",
    )
    made: list[Any] = []
    took = _timed(lambda: made.append(train_run(settings, out, report=False, overwrite=True)))
    history = made[0].fitted.history
    steps = history[-1]["step"]
    epoch_seconds = sum(record["seconds"] for record in history)
    return took | {
        "rows": made[0].splits.n_trained,
        "steps": steps,
        "epoch_seconds": epoch_seconds,
        "elbo": made[0].fitted.about.lower_bound,
    }


def placing(folder: str, run: str, output: str, cores: int = 1, **_: Any) -> Figures:
    """Place all rows as ``predict`` does, on a number of cores."""
    import pyarrow
    import torch

    from pyro_gmvae.runs import load
    from pyro_gmvae.tasks.pieces import place_in_pieces

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    torch.set_num_threads(cores)
    pyarrow.set_cpu_count(cores)
    fitted, made = load(run), []
    took = _timed(lambda: made.append(place_in_pieces(fitted, run, folder, output)))
    return took | {"rows": made[0].rows, "cluster_sizes": made[0].sizes}


USES: dict[str, Callable[..., Figures]] = {
    "reading": reading,
    "surveying": surveying,
    "training": training,
    "placing": placing,
}


def in_process(use: str, folder: Path, **options: Any) -> Figures:
    """Measure one of `USES` in a new process.

    Args:
        use: the name.
        folder: the table.
        options: those of the use, plain JSON.

    Returns:
        Its figures: ``rows``, ``seconds`` by the clock, ``cpu_seconds`` of all threads, the peak
        of the resident memory ``peak_bytes`` and, to compare, ``import_bytes`` of a process that
        has imported the package.
    """
    command = [sys.executable, "-m", "benchmarks.scale.measured"]
    done = subprocess.run(
        [*command, use, str(folder), json.dumps(options)],
        env=environment(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def _splits(folder: str) -> Any:
    from pyro_gmvae.data import load_splits

    return load_splits(folder, seed=0, stream=True)


def _timed(call: Callable[[], object]) -> Figures:
    began, used = time.perf_counter(), time.process_time()
    call()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
    }


def main() -> None:
    use, folder, options = sys.argv[1:]
    import pyro_gmvae.tasks.train  # noqa: F401

    imported = resident_bytes("VmRSS")
    figures = USES[use](folder, **json.loads(options))
    print(json.dumps(figures | {"import_bytes": imported, "peak_bytes": resident_bytes("VmHWM")}))


if __name__ == "__main__":
    main()
