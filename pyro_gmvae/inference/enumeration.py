"""Enumerate a site's support a few rows at a time, so that memory does not grow with it."""

from __future__ import annotations

from typing import Any

from jaxtyping import Int64
from pyro.poutine.enum_messenger import EnumMessenger
from torch import Tensor

__all__ = ["Rows", "SomeRows", "enumerate_dim", "support_size"]

Rows = Int64[Tensor, "_"]  # indices of some values of an enumerated support
Site = Any  # Pyro's message: name, fn, value, scale, mask, infer


class SomeRows(EnumMessenger):
    """Enumerate in parallel, as Pyro does, but only some rows of the support.

    A site with ``infer={"enumerate_in_part": True}`` is enumerated too. Its distribution returns
    only a part of the support, so that only an ELBO that knows the weights may use this handler.

    Args:
        first_available_dim: as in `EnumMessenger`.
        rows: indices of the support's values; None takes all.

    >>> import pyro
    >>> q_y = pyro.distributions.OneHotCategorical(torch.ones(3))
    >>> with SomeRows(first_available_dim=-1, rows=torch.tensor([0, 2])):
    ...     y = pyro.sample("y", q_y, infer={"enumerate": "parallel"})
    >>> y.tolist()  # two of the three clusters
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def __init__(self, first_available_dim: int, rows: Rows | None) -> None:
        super().__init__(first_available_dim)
        self.rows = rows

    def _pyro_sample(self, msg: Site) -> None:
        if msg["infer"].get("enumerate_in_part"):
            msg["infer"]["enumerate"] = "parallel"
        super()._pyro_sample(msg)
        if msg["done"] and enumerate_dim(msg) is not None:
            msg["infer"]["_support_size"] = len(msg["value"])
            if self.rows is not None:
                msg["value"] = msg["value"].index_select(0, self.rows)


def enumerate_dim(site: Site) -> int | None:
    """Return the dimension of a site's enumeration, counted from the right; None without one.

    >>> enumerate_dim({"infer": {"_enumerate_dim": -2}})
    -2
    >>> enumerate_dim({"infer": {}}) is None
    True
    """
    return site["infer"].get("_enumerate_dim")


def support_size(site: Site) -> int:
    """Return the total number of values of a site that the guide enumerates.

    >>> support_size({"infer": {"_enumerate_dim": -2, "_support_size": 10}})
    10
    """
    return site["infer"]["_support_size"]
