"""A folder that is written has one writer, and a killed one is no obstacle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pyro_gmvae.errors import InputError
from pyro_gmvae.files.locks import LOCK_FILES, holder, locked

HOLD = """
import sys, time
from pathlib import Path
from pyro_gmvae.files.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_who_is_the_first(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert str(holder(tmp_path)).startswith(f"process {os.getpid()} on ")
        words = f"being written by process {os.getpid()} on .*: wait"
        with pytest.raises(InputError, match=words), locked(tmp_path):
            pass
        assert holder(tmp_path) is not None  # the refusal has not freed it
    assert holder(tmp_path) is None
    with locked(tmp_path):
        pass
    assert {f.name for f in tmp_path.iterdir()} <= set(LOCK_FILES)


def test_a_killed_writer_is_no_obstacle(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"held\n"
    assert f"process {child.pid} " in str(holder(tmp_path))
    with pytest.raises(InputError, match=f"process {child.pid} "), locked(tmp_path):
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert holder(tmp_path) is None
    with locked(tmp_path):
        pass


def test_an_error_frees_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert holder(tmp_path) is None


def test_of_many_threads_one_holds_the_folder(tmp_path: Path) -> None:
    inside, most, refused = 0, 0, 0

    def hold() -> None:
        nonlocal inside, most, refused
        try:
            with locked(tmp_path):
                inside += 1
                most = max(most, inside)
                time.sleep(0.01)
                inside -= 1
        except InputError:
            refused += 1

    threads = [threading.Thread(target=hold) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and inside == 0 and refused < 8


def test_who_asks_writes_nothing(tmp_path: Path) -> None:
    assert holder(tmp_path) is None and holder(tmp_path / "nothing") is None
    assert list(tmp_path.iterdir()) == []


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    folder, victim = tmp_path / "run", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("precious")
    (folder / ".lock.json").symlink_to(victim)
    with locked(folder):
        pass
    (folder / ".lock").symlink_to(victim)
    try:
        with locked(folder):
            pass
    except InputError:
        pass  # the lock library may refuse a link
    assert victim.read_text() == "precious"
