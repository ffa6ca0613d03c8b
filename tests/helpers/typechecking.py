"""How the shapes in annotations are checked while the tests run (see conftest.py)."""

import re
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, BeartypeHintOverrides, beartype
from pyro.distributions import TorchDistribution
from pyro.distributions.torch_distribution import TorchDistributionMixin

# As type checkers have it, an int passes for a float; and what Pyro wraps, such as its Normal, is
# called a TorchDistribution throughout Pyro but inherits from the mixin only.
_beartype = beartype(
    conf=BeartypeConf(
        is_pep484_tower=True,
        hint_overrides=BeartypeHintOverrides({TorchDistribution: TorchDistributionMixin}),
    )
)


# Settings come from users and from JSON, and check themselves.
SELF_CHECKED = (
    "pyro_gmvae.fitting.data_settings",
    "pyro_gmvae.fitting.groups",
    "pyro_gmvae.estimator.parameters",
)

# Wrong words are left to the errors that the library itself raises; beartype knows `Self` only in
# classes that it decorates whole.
UNCHECKED = re.compile(r"\bLiteral\[|\bSelf\b")


def check(function: Callable) -> Callable:
    """Check a function by beartype, but for hints that are `UNCHECKED`."""
    if function.__module__ in SELF_CHECKED and function.__name__ == "__init__":
        return function
    function.__annotations__ = {
        name: Any if UNCHECKED.search(repr(hint)) else hint
        for name, hint in function.__annotations__.items()
    }
    return _beartype(function)
