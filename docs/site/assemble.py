"""Put the pages of the site into one folder, from which Sphinx builds it: ``make docs``.

    python docs/site/assemble.py build/docs

These are the pages of ``docs/``, some of other folders, the tutorials, and a reference that is made
from the docstrings. A link to a file of the repository is led to that file's page.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from reference import write_reference

ROOT = Path(__file__).parents[2]
# Pages from other folders than docs/, and their names on the site.
OTHERS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/results/README.md": "results.md",
    "README.md": "index.md",  # for links to it; the site has a first page of its own
}
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def assemble(folder: Path) -> None:
    """Write the pages into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    for source in sorted((ROOT / "docs").rglob("*")):
        if source.suffix in (".md", ".png"):
            _copy(source, folder / source.relative_to(ROOT / "docs"), folder)
    for path, name in OTHERS.items():
        if name != "index.md":
            _copy(ROOT / path, folder / name, folder)
    for source in sorted(ROOT.glob("tutorials/*.ipynb")):
        _copy(source, folder / "tutorials" / source.name, folder)
    write_reference(folder / "reference")
    (folder / "llms.txt").write_text(_for_models(folder))


def _for_models(folder: Path) -> str:
    """List the pages with their titles, for language models that read the site."""
    text = "# pyro_gmvae\n\n> Deep clustering with Gaussian mixture variational autoencoders.\n\n"
    for page in sorted(folder.rglob("*.md")):
        title = page.read_text().partition("\n")[0].removeprefix("# ")
        path = page.relative_to(folder).with_suffix(".html").as_posix()
        text += f"- [{title}]({path})\n"
    return text


def _copy(source: Path, target: Path, folder: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".md":
        target.write_text(_led(source.read_text(), source, target, folder))
    elif source.suffix == ".ipynb":
        notebook = json.loads(source.read_text())
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = _led("".join(cell["source"]), source, target, folder)
        target.write_text(json.dumps(notebook))
    else:
        shutil.copyfile(source, target)


def _led(text: str, source: Path, target: Path, folder: Path) -> str:
    """Lead the links of a page to where the files are on the site."""

    def led(link: re.Match[str]) -> str:
        file = (source.parent / link[1]).resolve().relative_to(ROOT)
        path = _place(file)
        if path is None:  # a file that is no page is offered for download
            path = file.as_posix()
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, folder / path)
        up = "../" * (len(target.relative_to(folder).parts) - 1)
        return f"]({up}{path}{link[2] or ''})"

    return LINK.sub(led, text)


def _place(file: Path) -> str | None:
    """Return where the site has a file of the repository; None if it is no page or picture."""
    if file.as_posix() in OTHERS:
        return OTHERS[file.as_posix()]
    if file.parts[0] == "docs" and file.suffix in (".md", ".png"):
        return file.relative_to("docs").as_posix()
    if file.parts[0] == "tutorials" and file.suffix == ".ipynb":
        return file.as_posix()
    return None


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
