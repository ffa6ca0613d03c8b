"""A release is of one version, and what `make release` runs on the wheel runs here too."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RELEASE = ROOT / "release"


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version() -> None:
    version = project()["version"]
    headings = re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_ci_runs_every_python_that_is_named() -> None:
    named = re.findall(r"Python :: (3\.\d+)", str(project()["classifiers"]))
    assert project()["requires-python"] == f">={named[0]}"
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    assert re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", workflow)[1]) == named
    for command in ("make oldest", "bash release/check.sh", "bash .ci/run"):
        assert f"- run: {command}" in workflow


@pytest.mark.slow
def test_types_as_a_user_checks_them(tmp_path: Path) -> None:
    """``make release`` does so with the wheel, and with pyright."""
    script = tmp_path / "typed_user.py"
    script.write_text((RELEASE / "typed_user.py").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout
