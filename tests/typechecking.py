"""How the shapes in annotations are checked while the tests run (see conftest.py)."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

# An int passes for a float, as type checkers have it.
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(function: Callable) -> Callable:
    """Beartype, but wrong words (``Literal``) are left to the errors the library itself raises."""
    hints = function.__annotations__
    function.__annotations__ = {
        name: Any if "Literal[" in repr(hint) else hint for name, hint in hints.items()
    }
    return _beartype(function)
