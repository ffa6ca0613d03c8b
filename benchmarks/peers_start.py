"""Start one training in a process of its own and wait for its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers_task import Task

__all__ = ["PeerFailedError", "make_task", "start"]

# Whoever multiplies matrices there asks one of these how many threads it may have.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class PeerFailedError(Exception):
    """A peer's process ended without figures; the message is its last line."""


def make_task(arguments: Namespace, peer: str, seed: int, images: Path) -> Task:
    """What ``peer`` is to train."""
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
        compile={"auto": "auto", "yes": True, "no": False}[arguments.compile],
        folder=str(images.parent / f"{peer}-{seed}"),
    )


def start(task: Task, threads: int) -> dict[str, Any]:
    """Run ``task`` with so many threads.

    Raises:
        PeerFailedError: if the process fails; what it printed stays in its folder.
    """
    folder = Path(task.folder)
    folder.mkdir(parents=True, exist_ok=True)
    given, outcome, log = (folder / name for name in ("task.json", "outcome.json", "log.txt"))
    given.write_text(json.dumps(asdict(task)))
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    command = [sys.executable, "-m", "benchmarks.peers_worker", str(given), str(outcome)]
    # Progress bars and all else that a peer prints go to a file, where they cost next to nothing.
    with log.open("w") as printed:
        done = subprocess.run(
            command, env=environment, stdout=printed, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0 or not outcome.exists():
        lines = log.read_text().strip().splitlines() or ["it printed nothing"]
        raise PeerFailedError(f"failed with exit code {done.returncode}: {lines[-1]}")
    return json.loads(outcome.read_text())
