"""The examples in docstrings run as they stand, and every public class has one."""

import doctest
import importlib
import inspect
import pkgutil
import re
from types import ModuleType
from typing import Any

import pytest
import torch

import pyro_gmvae

# Each class in the `__all__` of these rooms needs an example.
ROOMS = [
    "distributions",
    "inference",
    "networks",
    "models",
    "likelihoods",
    "evaluation",
    "data",
    "data.transformations",
    "segments",
    "serving",
    "training",
]
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(pyro_gmvae.__path__, "pyro_gmvae.")
)
# And each in that of a module: of the rooms without a list of their own, or of no room.
MODULES_WITHOUT_A_ROOM = [
    *(name.removeprefix("pyro_gmvae.") for name in MODULES if ".fitting." in name),
    *(
        "described",
        "estimator",
        "fitted",
        "noise",
        "parameters",
        "pictures",
        "ranges",
        "run_data",
        "runs",
    ),
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class Finder(doctest.DocTestFinder):
    """Find the examples of decorated functions too, which belong to their decorator's module.

    Context managers are such functions, and so is every function whose shapes are checked.
    """

    def _from_module(self, module: ModuleType, object: Any) -> bool:
        return super()._from_module(module, inspect.unwrap(object))


def found(module: ModuleType) -> list[doctest.DocTest]:
    """The module's examples, which use its own names and torch without an import."""
    tests = Finder(exclude_empty=True).find(module, extraglobs={"torch": torch})
    return [test for test in tests if test.examples]


def public_classes(place: str) -> dict[str, type]:
    """The classes of the face of a room or module; an exception needs no example."""
    module = importlib.import_module(f"pyro_gmvae.{place}")
    own = [
        name for name, x in vars(module).items() if getattr(x, "__module__", "") == module.__name__
    ]
    members = {name: getattr(module, name) for name in getattr(module, "__all__", own)}
    return {
        name: member
        for name, member in members.items()
        if inspect.isclass(member) and not issubclass(member, BaseException)
    }


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_and_print_what_they_say(name: str) -> None:
    module = importlib.import_module(name)
    report: list[str] = []
    for test in found(module):
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        runner.run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", MODULES)
def test_no_example_is_overlooked(name: str) -> None:
    module = importlib.import_module(name)
    written = re.findall(r"^ *>>> ", inspect.getsource(module), re.MULTILINE)
    assert sum(len(test.examples) for test in found(module)) == len(written)


@pytest.mark.parametrize("place", [*ROOMS, *MODULES_WITHOUT_A_ROOM])
def test_every_public_class_has_an_example(place: str) -> None:
    assert f"pyro_gmvae.{place}" in MODULES, "the tests above leave it out"
    classes = public_classes(place)
    assert classes or place not in ROOMS
    parser = doctest.DocTestParser()
    without = [
        name for name, each in classes.items() if not parser.get_examples(each.__doc__ or "")
    ]
    assert not without


def test_an_example_that_is_wrong_fails() -> None:
    """The test of the examples would notice one."""

    class Wrong:
        """Print another number.

        >>> 1 + 1
        3
        """

    (test,) = (t for t in doctest.DocTestFinder().find(Wrong, "wrong") if t.examples)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.append)
    assert "Expected:\n    3" in "".join(report)


def test_a_decorated_function_is_found() -> None:
    """`forked_rng` is a context manager, whose wrapper belongs to `contextlib`."""
    names = [test.name for test in found(importlib.import_module("pyro_gmvae.rng"))]
    assert "pyro_gmvae.rng.forked_rng" in names
