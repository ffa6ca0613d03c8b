"""Write a page of the reference for each module that makes names public.

A name is described once: in the module with the shortest path of those whose ``__all__`` has it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pyro_gmvae

__all__ = ["public_names", "write_reference"]


def modules() -> Iterator[ModuleType]:
    """Import every module of the package, without the private ones."""
    yield pyro_gmvae
    for found in pkgutil.walk_packages(pyro_gmvae.__path__, "pyro_gmvae."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield importlib.import_module(found.name)


def public_names() -> dict[str, list[str]]:
    """Return the names that each module describes, by the path of the module."""
    homes: dict[tuple[int, str], list[str]] = defaultdict(list)
    for module in modules():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not inspect.ismodule(value):
                homes[id(value), name].append(module.__name__)
    pages: dict[str, list[str]] = defaultdict(list)
    for (_, name), paths in homes.items():
        pages[min(paths, key=lambda path: (path.count("."), path))].append(name)
    return {path: sorted(names) for path, names in sorted(pages.items())}


def write_reference(folder: Path) -> None:
    """Write the pages, and an index of them."""
    folder.mkdir(exist_ok=True)
    pages = public_names()
    for path, names in pages.items():
        package, _, last = path.rpartition(".")
        # A module may have the name of a function beside it: the link leads to the function.
        hidden = last in pages.get(package, ())
        _write(folder / f"{path}.rst", _page(path, names, hidden=hidden))
    index = "Reference\n=========\n\nEvery public name, by the module to import it from.\n\n"
    index += ".. toctree::\n   :maxdepth: 1\n\n" + "".join(f"   {path}\n" for path in pages)
    _write(folder / "index.rst", index)


def _page(path: str, names: list[str], *, hidden: bool) -> str:
    head = [path, "=" * len(path), "", f".. automodule:: {path}", "   :no-members:"]
    head += ["   :no-index:"] if hidden else []
    entries = [_entry(path, name) for name in names]
    return "\n".join([*head, "", f".. currentmodule:: {path}", "", *entries])


def _entry(path: str, name: str) -> str:
    value = getattr(importlib.import_module(path), name)
    if inspect.isclass(value):
        return f".. autoclass:: {name}\n   :members:\n   :show-inheritance:\n"
    if callable(value) and hasattr(value, "__code__"):
        return f".. autofunction:: {name}\n"
    return f".. py:data:: {name}\n"


def _write(path: Path, content: str) -> None:
    """Write a page unless it is there, so that only what has changed is built again."""
    if not path.is_file() or path.read_text() != content:
        path.write_text(content)
