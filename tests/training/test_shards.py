"""Training on shards: resumed in mid-epoch, on two processes, on two nodes, after a kill."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.distributions import normal

from pyro_gmvae.training import TrainingInterrupted
from tests.helpers import shard_processes
from tests.helpers.shard_processes import KILLED_AT, fit_shards
from tests.helpers.shards import mixed, write_shards
from tests.helpers.tiny import blobs, same_weights
from tests.helpers.uneven_processes import no_noise

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
ALONE = [*TORCHRUN, "--standalone", "--nproc-per-node=2"]
BOUND = 150  # seconds


@pytest.fixture
def table(tmp_path: Path) -> Path:
    x = blobs(500, dtype=torch.float64)[0].numpy()
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(4)])
    return write_shards(frame, tmp_path / "table", group=60)


def torchrun(launch: list[str], *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*launch, str(Path(shard_processes.__file__)), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*processes: subprocess.Popen[str]) -> None:
    try:
        for process in processes:
            _, said = process.communicate(timeout=BOUND)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.terminate()  # and torchrun its workers


def close(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[n], b[n], 1e-9, 1e-9) for n in a)


def test_a_training_resumed_in_mid_epoch_is_the_unbroken_one(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken, result = fit_shards(table)
    state = tmp_path / "state.safetensors"
    from pyro_gmvae.training import loop

    class Stop(loop.AgreedEnd):
        def asked_after_step(self) -> bool:
            self._steps += 1
            if self._steps == 21:  # of 16 in an epoch
                self._signals.number = 15
            return super().asked_after_step()

    with monkeypatch.context() as patch, pytest.raises(TrainingInterrupted):
        patch.setattr(loop, "AgreedEnd", Stop)
        fit_shards(table, checkpoint=state)
    resumed, again = fit_shards(table, checkpoint=state, resume=True)
    assert same_weights(resumed, unbroken)
    assert [r["loss"] for r in again.history] == [r["loss"] for r in result.history]


def in_step_with_one(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal, "_standard_normal", no_noise)
    alone, result = fit_shards(table)
    first, second = (load_file(tmp_path / f"weights.{rank}.safetensors") for rank in (0, 1))
    assert same_weights(first, second)
    # Sums of two parts differ from the whole in the last digits of float64.
    assert close(first, alone)
    for rank in (0, 1):
        history = json.loads((tmp_path / f"history.{rank}.json").read_text())
        for name in ("loss", "elbo", "kl_y", "validation_elbo"):
            found = [r[name] for r in history]
            assert found == pytest.approx([r[name] for r in result.history], rel=1e-9)


@pytest.mark.slow
def test_two_processes_are_one(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(torchrun(ALONE, "in-step", table, tmp_path))
    in_step_with_one(tmp_path, table, monkeypatch)


@pytest.mark.slow
def test_two_nodes_are_one(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"localhost:{free.getsockname()[1]}"
    launch = [*TORCHRUN, "--nnodes=2", "--nproc-per-node=1", "--local-addr=127.0.0.1"]
    launch += ["--rdzv-backend=c10d", f"--rdzv-endpoint={endpoint}", "--rdzv-id=shards"]
    ended(*(torchrun(launch, "in-step", table, tmp_path) for _ in range(2)))
    in_step_with_one(tmp_path, table, monkeypatch)


@pytest.mark.slow
def test_a_killed_worker_costs_at_most_a_checkpoint_interval(tmp_path: Path) -> None:
    table = write_shards(mixed(3_000), tmp_path / "table")
    ended(torchrun(ALONE, "unbroken", table, tmp_path / "a"))
    (tmp_path / "b").mkdir()
    ended(torchrun([*ALONE, "--max-restarts=1"], "killed", table, tmp_path / "b"))
    begins = [int(line) for line in (tmp_path / "b" / "begins").read_text().split()]
    # A checkpoint is written after each step but the one of the kill.
    assert begins == [1, KILLED_AT]
    found = [pd.read_csv(tmp_path / f / "run" / "metrics.csv") for f in ("a", "b")]
    for name in ("step", "elbo", "validation_elbo"):
        assert found[1][name].to_numpy() == pytest.approx(found[0][name].to_numpy(), rel=1e-4)
