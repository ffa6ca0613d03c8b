"""The examples in docstrings run as they stand, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil
import re
from functools import cached_property
from math import pi
from types import ModuleType
from typing import Any

import pytest
import torch

import pyro_gmvae
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.serving import Predictor

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(pyro_gmvae.__path__, "pyro_gmvae.")
)
# What users call of these is shown too, wherever it is defined.
FACES = [pyro_gmvae.GMVAE, FittedModel, Predictor]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class Finder(doctest.DocTestFinder):
    """Find the examples of decorated functions too, which belong to their decorator's module.

    Context managers are such functions, and so is every function whose shapes are checked.
    """

    def _from_module(self, module: ModuleType, object: Any) -> bool:
        return super()._from_module(module, inspect.unwrap(object))

    def _find(self, tests: Any, obj: Any, name: str, *args: Any) -> None:
        """Look into the cached properties of a class too, which doctest passes over."""
        super()._find(tests, obj, name, *args)
        if inspect.isclass(obj):
            for attribute, member in vars(obj).items():
                path = f"{name}.{attribute}"
                known = any(test.name == path for test in tests)  # by a later Python's doctest
                if isinstance(member, cached_property) and not known:
                    super()._find(tests, member.func, path, *args)


def found(module: ModuleType) -> list[doctest.DocTest]:
    """The module's examples, which use its own names and torch without an import."""
    tests = Finder(exclude_empty=True).find(module, extraglobs={"torch": torch})
    return [test for test in tests if test.examples]


def public_names(module: ModuleType) -> dict[str, Any]:
    """The functions and classes of our own that a module offers by its `__all__`."""
    members = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    return {name: member for name, member in members.items() if is_ours(member)}


def own_classes(module: ModuleType) -> dict[str, type]:
    """The classes that are defined in a module, but for those with an underscore."""
    return {
        name: member
        for name, member in vars(module).items()
        if inspect.isclass(member)
        and member.__module__ == module.__name__
        and not name.startswith("_")
    }


def public_methods(face: type) -> dict[str, Any]:
    """The methods and properties that a class has from this package, by their names."""
    members = {name: inspect.getattr_static(face, name) for name in dir(face)}
    functions = {
        name: getattr(member, "fget", None) or getattr(member, "__func__", member)
        for name, member in members.items()
        if not name.startswith("_")
    }
    return {name: member for name, member in functions.items() if is_ours(member)}


def is_ours(member: Any) -> bool:
    """Whether it is a function or class of this package; constants and types of others are not."""
    defined = inspect.unwrap(member) if callable(member) else getattr(member, "func", member)
    place = getattr(defined, "__module__", None) or ""
    return (inspect.isfunction(defined) or inspect.isclass(defined)) and (
        place.partition(".")[0] == "pyro_gmvae"
    )


def without_example(members: dict[str, Any]) -> list[str]:
    """The names of members whose docstring has no example."""
    parser = doctest.DocTestParser()
    return [
        name
        for name, member in members.items()
        if not parser.get_examples(getattr(member, "func", member).__doc__ or "")
    ]


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


@pytest.mark.parametrize("name", ["pyro_gmvae", *MODULES])
def test_every_public_name_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    assert not without_example(public_names(module) | own_classes(module))


@pytest.mark.parametrize("face", FACES)
def test_every_public_method_has_an_example(face: type) -> None:
    methods = public_methods(face)
    assert methods
    assert not without_example(methods)


def test_a_name_without_an_example_is_found() -> None:
    """The tests above would notice a function, a class, a method and a property."""

    def plain() -> None:
        """Do nothing."""

    class Sample:
        """Hold nothing."""

        def method(self) -> None:
            """Do nothing."""

        @property
        def one(self) -> None:
            """Return nothing."""

        @cached_property
        def other(self) -> None:
            """Return nothing."""

    class Shown:
        """Hold nothing.

        >>> 1 + 1
        2
        """

    module = ModuleType("pyro_gmvae.sample")
    for each in (plain, Sample, Shown, Sample.method, Sample.one.fget, vars(Sample)["other"].func):
        each.__module__ = module.__name__
    vars(module).update(plain=plain, Sample=Sample, Shown=Shown, pi=pi)
    assert without_example(own_classes(module)) == ["Sample"]
    assert public_names(module) == {}
    module.__all__ = ["Sample", "Shown", "pi", "plain"]
    assert without_example(public_names(module)) == ["Sample", "plain"]
    assert sorted(without_example(public_methods(Sample))) == ["method", "one", "other"]


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
