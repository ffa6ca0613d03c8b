"""What holds in every test: checked shapes, fixed seeds, Pyro's validation, a clean slate."""

from __future__ import annotations

# Before anything imports the package: its annotations are checked from here on.
from jaxtyping import install_import_hook

import tests.helpers.typechecking  # noqa: F401  (the hook finds it by its name)

install_import_hook("pyro_gmvae", "tests.helpers.typechecking.check")

from collections.abc import Iterator, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import jaxtyping  # noqa: E402
import pyro  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from tests.helpers.global_state import unchanged_global_state  # noqa: E402

# What runs commands, whole programs, pages, engines, threads and the examples;
# `make test-programs`.
PROGRAMS = (
    "benchmarks",
    "cli",
    "robustness",
    "serving",
    "test_bertopic.py",
    "test_docs.py",
    "test_docstrings.py",
    "test_threads.py",
    "test_tutorials.py",
)

torch.set_num_threads(1)  # tiny networks: threads only wait for one another


@pytest.hookimpl(tryfirst=True)  # before pytest leaves tests out by their marks
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the tests of the folders and files in `PROGRAMS`."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in PROGRAMS:
            item.add_marker("programs")


@pytest.fixture(autouse=True)
def clean_slate() -> Iterator[None]:
    """Seed, validate, and fail a test that leaves global state changed."""
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    pyro.enable_validation(True)
    with unchanged_global_state():
        yield
    pyro.clear_param_store()


@pytest.fixture
def local_params(clean_slate: None) -> Iterator[None]:
    """Parameters stay in their modules, as our trainer has it."""
    with pyro.settings.context(module_local_params=True):
        yield


@pytest.fixture
def no_validation(clean_slate: None) -> Iterator[None]:
    """Validation off, as in training."""
    with pyro.validation_enabled(False):
        yield


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """No shape checks, for tests of the errors that users see, who have none."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
