"""Rows that belong together, whichever their cluster: a penalty of the responsibilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import log
from typing import Protocol

import pyro
import torch
from jaxtyping import Float, Int, Int64, Num
from torch import Tensor, nn

from pyro_gmvae.errors import InputError

__all__ = ["MUST_LINK", "MustLink", "check_must_link", "must_linked"]

MUST_LINK = "must_link"  # the name of the site
MAX_PAIRS = 32  # in a step: 64 more rows for the encoder, however many are linked
STRENGTH = 10.0  # nats per nat; 2 gave the same clusters


class Linkable(Protocol):
    """Stand for a model that can be trained with a `MustLink`, such as a GMVAE."""

    @property
    def must_link(self) -> MustLink | None:
        """Return the factor that it is trained with."""

    def link(self, must_link: MustLink | None) -> None:
        """Train with another factor from now on."""


class MustLink(nn.Module):
    r"""Rows of one group are to be in one cluster: a factor of the guide.

    With r(x) the responsibilities that the method uses and r-bar their mean, the objective loses,
    per datum,

    .. math::
        \lambda\, E_{i, j} \left[ -\log \sum_k \frac{r_k(x_i)\, r_k(x_j)}{\bar r_k} \right]

    where i is any row that has companions and j any companion of it. Up to the mean this is the
    negative log-probability that the two are in one cluster. With it, since p(x given k) is
    r_k(x) p(x) / r-bar_k, it is minus the log of how much likelier the two are if one draw of a
    cluster made both than if each had its own. The mean makes the difference: one cluster for all
    data holds every link, and the bare probability leads there. Against chance that gains nothing.
    No gradient flows through the mean, as none does through the weights of a mixture in a step of
    EM: links move the linked rows, not the others out of their way.

    The expectation is that over at most 32 pairs, drawn anew in each step, and the mean that over
    the batch and these. Every datum of a batch bears the same penalty, of a group or not: lambda
    means the same whatever the size of the batch and the number of linked rows, and a few links
    are not drowned by many data.

    It acts in training mode only and is reported apart from the ELBO: lambda times the mean
    log-ratio, from 0 nats, where links are kept as by chance, to lambda log K, where each holds and
    the clusters are even. The rows are held in buffers that go to a device with the model and are
    in no ``state_dict``; `pyro_gmvae.training.fit` takes them away again.

    Args:
        x: data in whatever form ``transform`` takes; only rows with companions are kept.
        groups: a number for each row, the same for rows that belong together; -1 for rows of which
            nothing is known.
        covariates: tensors of N rows, passed on to the guide.
        transform: from ``x`` to model scale, applied to what was drawn.
        strength: lambda, in nats per nat.

    Raises:
        InputError: as `check_must_link`.
        ValueError: for a strength that is not positive.

    References: Shental et al. 2003, Computing Gaussian mixture models with EM using equivalence
    constraints, for rows that one draw of a cluster made; Hsu et al. 2019, Multi-class
    classification without multi-class labels, arXiv 1901.00544, for the bare probability.
    """

    x: Tensor
    first: Tensor
    size: Tensor

    def __init__(
        self,
        x: Num[Tensor, "N *event"],
        groups: Int[Tensor, " groups"],
        *,
        covariates: Sequence[Tensor] = (),
        transform: Callable[[Tensor], Tensor] | None = None,
        strength: float = STRENGTH,
    ) -> None:
        super().__init__()
        check_must_link(groups, len(x))
        if not strength > 0:
            raise ValueError(f"strength must be positive, got {strength}")
        self.strength = strength
        # In a tuple: the buffers of a transform are none of the model's.
        self.transforms = () if transform is None else (transform,)
        rows = has_companion(groups).nonzero().flatten()
        rows = rows[groups[rows].argsort(stable=True)]  # group after group
        _, sizes = groups[rows].unique_consecutive(return_counts=True)
        kept = {"x": x, **{f"covariate_{i}": c for i, c in enumerate(covariates)}}
        for name, tensor in kept.items():
            self.register_buffer(name, tensor[rows.to(tensor.device)], persistent=False)
        self.covariates = [name for name in kept if name != "x"]
        starts = sizes.cumsum(0) - sizes
        self.register_buffer("first", starts.repeat_interleave(sizes), persistent=False)
        self.register_buffer("size", sizes.repeat_interleave(sizes), persistent=False)

    def forward(
        self, log_responsibilities: Callable[..., Tensor], log_r: Float[Tensor, "B K"]
    ) -> None:
        """Add the factor, inside the plate of the data.

        Args:
            log_responsibilities: of any data and their covariates.
            log_r: those of the batch.
        """
        # The ELBO subtracts a guide's log-density: a penalty is a positive factor.
        cost = self.strength * self.penalty(log_responsibilities, log_r)
        pyro.factor(MUST_LINK, cost.expand(len(log_r)), has_rsample=True)

    def penalty(
        self, log_responsibilities: Callable[..., Tensor], log_r: Float[Tensor, "B K"]
    ) -> Float[Tensor, ""]:
        """The mean of some pairs, unweighted, in nats; negative where links hold."""
        rows = self.pairs().flatten()
        x = self.x.index_select(0, rows)
        with torch.no_grad():
            for transform in self.transforms:
                x = transform(x)
        covariates = (getattr(self, name).index_select(0, rows) for name in self.covariates)
        linked = log_responsibilities(x, *covariates)
        together = torch.cat([log_r, linked]).detach()
        log_mean = together.logsumexp(0) - log(len(together))
        one, other = linked.chunk(2)
        return -(one + other - log_mean).logsumexp(-1).mean()

    def pairs(self) -> Int64[Tensor, "2 pairs"]:
        """Positions among the kept rows, drawn from the global generator of their device."""
        n = len(self.size)
        # A product with a number below 1 never rounds up to n, as long as n is below 2^24.
        uniform = torch.rand(2, min(MAX_PAIRS, n), device=self.size.device)
        one = (n * uniform[0]).long()
        first, size = self.first[one], self.size[one]
        further = ((size - 1) * uniform[1]).long()
        other = first + (one - first + 1 + further) % size
        return torch.stack([one, other])


def has_companion(groups: Int[Tensor, " N"]) -> Tensor:
    """Which rows are of a group of two or more."""
    _, group, sizes = groups.unique(return_inverse=True, return_counts=True)
    return (groups >= 0) & (sizes[group] > 1)


def check_must_link(groups: Int[Tensor, " groups"], n_rows: int) -> None:
    """Refuse groups that tell nothing.

    Raises:
        InputError: if there is not one number for each row, or no group has two rows.
    """
    if len(groups) != n_rows:
        raise InputError(
            f"there are {len(groups)} groups for {n_rows} rows: give one for each row, -1 where it "
            "is in none"
        )
    if not has_companion(groups).any():
        raise InputError(
            "no group has two rows to train with: give rows that belong together the same group, "
            "or leave the groups out"
        )


@contextmanager
def must_linked(
    gmvae: Linkable,
    x: Num[Tensor, "N *event"],
    must_link: Int[Tensor, " groups"] | None,
    *,
    covariates: Sequence[Tensor] = (),
    transform: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[None]:
    """Train with a `MustLink` inside; afterwards the model holds none of its data.

    Args:
        gmvae: one of the four GMVAEs.
        x, covariates, transform: as `MustLink` takes them.
        must_link: the groups of the rows, as `MustLink` takes them; None changes nothing.

    Raises:
        InputError: for groups that tell nothing.
    """
    before = gmvae.must_link
    if must_link is not None:
        gmvae.link(MustLink(x, must_link, covariates=covariates, transform=transform))
    try:
        yield
    finally:
        gmvae.link(before)
