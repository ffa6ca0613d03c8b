"""Rows that belong together, for as long as a training lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jaxtyping import Int, Num
from torch import Tensor

from pyro_gmvae.models import GMVAE, MustLink

__all__ = ["linked"]


@contextmanager
def linked(
    gmvae: GMVAE,
    x: Num[Tensor, "N *event"],
    groups: Int[Tensor, " groups"] | None,
    *,
    covariates: Sequence[Tensor] = (),
    transform: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[None]:
    """Train with a `MustLink` of these rows inside; afterwards the model holds no data of them.

    Args:
        gmvae: one of the four GMVAEs.
        x, covariates, transform: as of `MustLink`.
        groups: as of `MustLink`; None changes nothing.

    Raises:
        InputError: for groups that tell nothing.
    """
    before = gmvae.must_link
    if groups is not None:
        gmvae.link(MustLink(x, groups, covariates=covariates, transform=transform))
    try:
        yield
    finally:
        gmvae.link(before)
