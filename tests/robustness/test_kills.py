"""Work that is killed and continued ends as unbroken work; the long run is a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robustness.snapshots import changes, snapshot
from tests.robustness.victims import state_of

ROOT = Path(__file__).parents[2]


def harness(name: str, *options: object) -> subprocess.CompletedProcess[str]:
    """Runs a harness as a process of its own: it forks, and measures without shape checks."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", f"tests.robustness.{name}", *map(str, options)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_a_few_kills_lose_nothing() -> None:
    done = harness("kills", "--n", 6, "--seed", 0)
    assert done.returncode == 0, done.stdout + done.stderr


def test_changes_are_seen(tmp_path: Path) -> None:
    for name in ("kept", "lost", "changed"):
        (tmp_path / name).write_text(name)
    (tmp_path / "apart").mkdir()
    apart = (tmp_path / "apart",)
    before = snapshot(tmp_path, apart=apart)
    (tmp_path / "apart" / "any").touch()
    (tmp_path / "lost").unlink()
    (tmp_path / "changed").write_text("other")
    (tmp_path / "new").touch()
    after = snapshot(tmp_path, apart=apart)
    assert changes(before, after) == ["lost is lost", "new is left over", "changed has changed"]


def test_a_state_forgets_the_clock_alone(tmp_path: Path) -> None:
    def run(folder: str, weights: str, seconds: float, elbo: float) -> dict[str, str]:
        path = tmp_path / folder
        path.mkdir()
        (path / "config.json").write_text(
            f'{{"weights_sha256": "{weights}", "about": {{"seconds": {seconds}}}}}'
        )
        (path / "metrics.csv").write_text(f"epoch,elbo,seconds\n1,{elbo},{seconds}\n")
        return state_of(path)

    first = run("a", "abc", 1.0, -3.5)
    assert run("b", "abc", 2.0, -3.5) == first
    assert run("c", "abd", 1.0, -3.5) != first
    assert run("d", "abc", 1.0, -3.6) != first
