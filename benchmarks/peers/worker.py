"""Train one peer in a process of its own, whose peak of memory is then the peer's.

The process is ``python -m benchmarks.peers.worker TASK.json OUTCOME.json``.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.resident_memory import resident_bytes
from benchmarks.peers.registry import PEERS
from benchmarks.peers.task import Task, thinned


def run(task: Task) -> dict[str, Any]:
    """Train and evaluate; return the figures as JSON stores them."""
    runner = import_module(f"benchmarks.peers.{PEERS[task.peer].runner}")
    at_start = resident_bytes("VmRSS")
    with np.load(task.data) as parts:
        images, test = parts["train"], parts["test"]
    started, cpu_started = time.perf_counter(), time.process_time()
    trained = runner.train(task, images)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    peak = resident_bytes("VmHWM")
    return {
        "epoch_seconds": trained.epoch_seconds,
        "training_seconds": seconds,
        "training_cpu_seconds": cpu_seconds,
        "peak_bytes": peak,
        "peak_bytes_above_imports": None if peak is None else peak - (at_start or 0),
        "peak_device_bytes": peak_on_device(task.device),
        "parameters": trained.parameters,
        "clusters": None if trained.clusters is None else trained.clusters(test).tolist(),
        "log_likelihood": (
            None if trained.log_likelihood is None else trained.log_likelihood(thinned(test))
        ),
        "log_likelihood_is": trained.quantity,
        **trained.extra,
    }


def peak_on_device(device: str) -> int | None:
    """Return the peak bytes on a GPU; None without one or without torch."""
    torch = sys.modules.get("torch")
    if torch is None or device != "cuda":
        return None
    return torch.cuda.max_memory_allocated()


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    outcome = run(Task(**given | {"hidden": tuple(given["hidden"])}))
    Path(sys.argv[2]).write_text(json.dumps(outcome))
