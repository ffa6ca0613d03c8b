"""How the shapes in annotations are checked while the tests run (see conftest.py)."""

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


def check(function: Callable) -> Callable:
    """Beartype, but wrong words (``Literal``) are left to the errors the library itself raises."""
    function.__annotations__ = {
        name: Any if "Literal[" in repr(hint) else hint
        for name, hint in function.__annotations__.items()
    }
    return _beartype(function)
