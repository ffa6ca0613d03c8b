"""The code that a reader copies from the README and the docs runs as it stands."""

import re
from pathlib import Path

import pyro
import pytest

ROOT = Path(__file__).parents[1]
DOCS = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/extending.md"])
def test_code_blocks_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # They are to run; that a start this short finds the clusters is not asked.
    monkeypatch.setattr("pyro_gmvae.fitting.starts.information.MIN_STEPS", 20)
    blocks = BLOCK.findall((ROOT / page).read_text())
    assert blocks
    namespace = {"__name__": "__docs__"}
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)
    pyro.clear_param_store()
    assert all(loss == loss for loss in namespace.get("losses", []))


@pytest.mark.parametrize("page", ["README.md", *DOCS])
def test_links_and_named_files_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing
