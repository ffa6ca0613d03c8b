"""Several processes in trouble: another number of them, one killed, a file that one lacks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.distributions import normal

from tests.helpers import uneven_processes
from tests.helpers.tiny import same_weights
from tests.helpers.uneven_processes import fit_without_noise, no_noise

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
SCRIPT = str(Path(uneven_processes.__file__))
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
BOUND = 120  # seconds; far less than gloo's own patience of 30 minutes

Process = subprocess.Popen[str]
Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that do not outlive the test."""
    started: list[Process] = []

    def begin(*command: str, **more: str) -> Process:
        process = subprocess.Popen(
            command,
            env=ENVIRONMENT | more,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()  # and torchrun its workers
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def torchrun(start: Start, mode: str, folder: Path) -> Process:
    return start(*TORCHRUN, SCRIPT, mode, str(folder))


def two_alone(start: Start, mode: str, folder: Path) -> list[Process]:
    """Two processes that nobody looks after, as on two machines."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    own = ({"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2))
    return [start(sys.executable, SCRIPT, mode, str(folder), **shared, **one) for one in own]


def wait_for_epochs(folder: Path, n: int, process: Process) -> None:
    deadline, sign = time.monotonic() + BOUND, folder / "epoch"
    while not (sign.is_file() and int(sign.read_text() or 0) >= n):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def pid(folder: Path, rank: int) -> int:
    return int((folder / f"pid.{rank}").read_text())


def close(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[n], b[n], 1e-9, 1e-9) for n in a)


def test_one_and_two_processes_continue_one_another(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normal, "_standard_normal", no_noise)
    alone = fit_without_noise(tmp_path / "alone.state.safetensors", epochs=4)
    begun = fit_without_noise(tmp_path / "from-one.state.safetensors", epochs=2)
    process = torchrun(start, "in-step", tmp_path)
    assert process.wait(BOUND) == 0, process.communicate()[1]
    for name in ("unbroken", "from-one", "to-one"):
        first, second = (load_file(tmp_path / f"{name}.{rank}.safetensors") for rank in (0, 1))
        assert same_weights(first, second)
        # Sums of two halves differ from the whole in the last digits of float64.
        assert close(first, begun if name == "to-one" else alone)
    finished = fit_without_noise(tmp_path / "to-one.state.safetensors", epochs=4, resume=True)
    assert close(finished, alone) and not close(begun, alone)


@pytest.mark.parametrize("killed", [0, 1])
def test_one_is_killed(start: Start, tmp_path: Path, killed: int) -> None:
    process = torchrun(start, "endless", tmp_path)
    wait_for_epochs(tmp_path, 3, process)
    os.kill(pid(tmp_path, killed), signal.SIGKILL)
    assert process.wait(BOUND) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid(tmp_path, 1 - killed), 0)
    assert "SIGKILL" in process.communicate()[1]


@pytest.mark.parametrize("killed", [0, 1])
def test_one_is_killed_and_nobody_looks_after_them(
    start: Start, tmp_path: Path, killed: int
) -> None:
    processes = two_alone(start, "endless", tmp_path)
    wait_for_epochs(tmp_path, 3, processes[0])
    processes[killed].kill()
    other = processes[1 - killed]
    assert other.wait(BOUND) not in (0, None)
    assert "onnection" in other.communicate()[1]  # it says that its peer has gone


def test_a_signal_to_both(start: Start, tmp_path: Path) -> None:
    process = torchrun(start, "endless", tmp_path)
    wait_for_epochs(tmp_path, 3, process)
    process.terminate()
    assert process.wait(BOUND) != 0
    said = process.communicate()[1]
    assert (tmp_path / "interrupted.0").is_file(), said
    assert (tmp_path / "interrupted.1").is_file(), said
    assert (tmp_path / "state.safetensors").is_file()


def test_a_file_is_missing_on_one(start: Start, tmp_path: Path) -> None:
    process = torchrun(start, "missing-file", tmp_path)
    assert process.wait(BOUND) != 0
    assert "There is no file" in process.communicate()[1]
    assert not (tmp_path / "run" / "config.json").exists()
