"""What holds in every test: checked shapes, fixed seeds, Pyro's validation, a clean slate."""

from __future__ import annotations

# Before anything imports the package: its annotations are checked from here on.
from jaxtyping import install_import_hook

import tests.typechecking  # noqa: F401  (the hook finds it by its name)

install_import_hook("pyro_gmvae", "tests.typechecking.check")

from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

import pyro  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # tiny networks: threads only wait for one another


def _global_state() -> dict[str, Any]:
    return pyro.settings.get() | {
        "torch.dtype": torch.get_default_dtype(),
        "torch.grad_mode": torch.is_grad_enabled(),
        "torch.deterministic": torch.are_deterministic_algorithms_enabled(),
        "torch.num_threads": torch.get_num_threads(),
        "pyro.param_store": sorted(pyro.get_param_store().keys()),
    }


@pytest.fixture(autouse=True)
def clean_slate() -> Iterator[None]:
    """Seed, validate, and fail a test that leaves global state changed."""
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    pyro.enable_validation(True)
    before = _global_state()
    yield
    after = _global_state()
    pyro.clear_param_store()
    for name, value in before.items():
        if name in pyro.settings.get() and after[name] != value:
            pyro.settings.set(**{name: value})
    torch.set_default_dtype(before["torch.dtype"])
    torch.set_grad_enabled(before["torch.grad_mode"])
    torch.use_deterministic_algorithms(before["torch.deterministic"])
    torch.set_num_threads(before["torch.num_threads"])
    changed = {n: (v, after[n]) for n, v in before.items() if after[n] != v}
    assert not changed, f"the test left global state changed (before, after): {changed}"


@pytest.fixture
def param_store(clean_slate: None) -> Iterator[pyro.params.param_store.ParamStoreDict]:
    """Pyro's parameter store, for a test that fills it, as stock `SVI` does."""
    yield pyro.get_param_store()
    pyro.clear_param_store()


@pytest.fixture
def local_params() -> Iterator[None]:
    """Parameters stay in their modules, as our trainer has it."""
    with pyro.settings.context(module_local_params=True):
        yield


@pytest.fixture
def no_validation() -> Iterator[None]:
    """Validation off, as in training."""
    with pyro.validation_enabled(False):
        yield
