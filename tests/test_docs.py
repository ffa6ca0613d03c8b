"""The code that a reader copies from the README and the docs runs as it stands."""

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pyro
import pytest

from pyro_gmvae_cli.main import main

ROOT = Path(__file__).parents[1]
DOCS = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
NEED_A_RUN = {"docs/scale.md", "docs/serving.md"}  # tests/serving runs their code
WITH_CODE = [
    page
    for page in ["README.md", *DOCS]
    if BLOCK.search((ROOT / page).read_text()) and page not in NEED_A_RUN
]
SITE = ROOT / "docs" / "site"


@pytest.mark.filterwarnings("ignore:The held-out ELBO had not stopped rising")
@pytest.mark.filterwarnings("ignore::pyro_gmvae.training.ClusterWarning")
@pytest.mark.parametrize("page", WITH_CODE)
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


@pytest.mark.parametrize("page", ["README.md", *DOCS])
def test_commands_have_the_options_that_are_shown(page: str) -> None:
    text = (ROOT / page).read_text().replace("\\\n", " ")
    lines = re.findall(r"^    pyro-gmvae (.*)$", text, re.MULTILINE)
    for line in lines:
        name, *words = shlex.split(line, comments=True)
        if name.isupper() or name.startswith("-"):
            continue  # pyro-gmvae COMMAND --help
        command = main.get_command(None, name)
        assert command is not None, line
        parser = command.make_parser(command.context_class(command))
        parser.parse_args(words)  # raises for an unknown option


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SITE)
    monkeypatch.delitem(sys.modules, "assemble", raising=False)


def test_every_page_of_the_site_is_in_its_contents(site: None, tmp_path: Path) -> None:
    from assemble import assemble

    assemble(tmp_path / "site")
    pages = (tmp_path / "site").rglob("*.md")
    names = {page.relative_to(tmp_path / "site").with_suffix("").as_posix() for page in pages}
    contents = set(re.findall(r"^[\w/-]+$", (ROOT / "docs/index.md").read_text(), re.MULTILINE))
    listed = {name for name in names if name in contents or name.startswith("howto/")}
    assert names - listed == {"index"}
    assert contents <= names | {"reference/index"}


def test_the_reference_has_every_public_name(site: None) -> None:
    from reference import modules, public_names

    pages = public_names()
    described = {
        id(getattr(sys.modules[path], name)) for path, names in pages.items() for name in names
    }
    for module in modules():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            assert id(value) in described or isinstance(value, ModuleType), name
    assert "GMVAE" in pages["pyro_gmvae"]
    assert len({(path, name) for path, names in pages.items() for name in names}) > 400
