"""Penalise rows that belong together but are in different clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import log
from typing import Protocol, runtime_checkable

import pyro
import torch
from jaxtyping import Float, Int, Int64, Num
from torch import Tensor, nn

from pyro_gmvae.errors import InputError
from pyro_gmvae.ranges import real

__all__ = ["MUST_LINK", "MustLink", "check_must_link", "must_linked"]

MUST_LINK = "must_link"  # the name of the penalty's site
MAX_PAIRS = 32  # most pairs in a step: 64 more rows for the encoder, however many rows are linked
STRENGTH = 10.0  # nats per nat; a strength of 2 gave the same clusters


@runtime_checkable
class Linkable(Protocol):
    """Stand for a model that can be trained with a `MustLink`, such as a GMVAE.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae: Linkable = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> gmvae.link(MustLink(torch.ones(2, 4), groups=torch.tensor([7, 7])))
    >>> gmvae.must_link.x.shape
    torch.Size([2, 4])
    """

    @property
    def must_link(self) -> MustLink | None:
        """Return the factor that it is trained with."""

    def link(self, must_link: MustLink | None) -> None:
        """Train with another factor from now on."""


class MustLink(nn.Module):
    r"""Keep the rows of a group in one cluster, by a factor in the guide.

    Let r(x) be the responsibilities of the method and r-bar their mean. The objective is reduced,
    per datum, by

    .. math::
        \lambda\, E_{i, j} \left[ -\log \sum_k \frac{r_k(x_i)\, r_k(x_j)}{\bar r_k} \right]

    where i is any row that has companions, and j is any companion of i. Without the mean this is
    the negative log-probability that the two rows are in one cluster. That alone would lead to one
    cluster for all data, which satisfies every link. With the mean it is a log-ratio: since
    p(x given k) is r_k(x) p(x) / r-bar_k, it is minus the log of how much likelier the two rows are
    if they come from one draw of a cluster than from two draws. One cluster for all data gains
    nothing then. No gradient flows through the mean, just as EM fixes the weights of a mixture in
    a step. So links move the linked rows, and do not push the other rows away.

    The expectation is over at most 32 pairs, drawn anew in each step. The mean is over the batch
    and these pairs. Every datum of a batch gets the same penalty, whether it is in a group or not.
    So the meaning of lambda depends neither on the size of the batch nor on the number of linked
    rows, and many data do not outweigh a few links.

    The factor acts in training mode only and is reported apart from the ELBO, as lambda times the
    mean log-ratio. This is 0 nats if links hold no more often than by chance, and lambda log K if
    all links hold and the clusters have equal size. The rows are held in buffers that move to a
    device with the model but are not in its ``state_dict``; `pyro_gmvae.training.fit` removes them
    at the end.

    Args:
        x: data in the form that ``transform`` takes; only rows with companions are kept.
        groups: a number for each row, shape ``(N,)``, the same for rows that belong together; -1
            for rows about which nothing is known.
        covariates: tensors of N rows, passed on to the guide.
        transform: maps ``x`` to model scale; applied to the drawn rows.
        strength: lambda, in nats per nat.

    Raises:
        InputError: as `check_must_link`.
        ValueError: for a strength that is not positive.

    References: Shental et al. 2003, Computing Gaussian mixture models with EM using equivalence
    constraints, for rows that come from one draw of a cluster; Hsu et al. 2019, Multi-class
    classification without multi-class labels, arXiv 1901.00544, for the probability without the
    mean.

    >>> links = MustLink(torch.ones(5, 4), groups=torch.tensor([0, 0, 1, -1, 0]))
    >>> links.x.shape  # the three rows of group 0; group 1 has only one row
    torch.Size([3, 4])
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
        self.strength = real("strength", strength, above=0)
        # A tuple hides a transform's buffers, which are not part of the model.
        self.transforms = () if transform is None else (transform,)
        rows = has_companion(groups).nonzero().flatten()
        rows = rows[groups[rows].argsort(stable=True)]  # ordered by group
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
        """Add the penalty as a factor; call it inside the plate of the data.

        Args:
            log_responsibilities: computes log r of any data and their covariates.
            log_r: log r of the batch.
        """
        # The ELBO subtracts a guide's log-density, so a penalty is a positive factor.
        cost = self.strength * self.penalty(log_responsibilities, log_r)
        pyro.factor(MUST_LINK, cost.expand(len(log_r)), has_rsample=True)

    def penalty(
        self, log_responsibilities: Callable[..., Tensor], log_r: Float[Tensor, "B K"]
    ) -> Float[Tensor, ""]:
        """Compute the mean penalty of some pairs, unweighted, in nats; negative if links hold.

        Args:
            log_responsibilities, log_r: as in `forward`.
        """
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
        """Draw pairs of positions among the kept rows from the global generator of their device."""
        n = len(self.size)
        # The product of n and a number below 1 never rounds up to n, as long as n is below 2^24.
        uniform = torch.rand(2, min(MAX_PAIRS, n), device=self.size.device)
        one = (n * uniform[0]).long()
        first, size = self.first[one], self.size[one]
        further = ((size - 1) * uniform[1]).long()
        other = first + (one - first + 1 + further) % size
        return torch.stack([one, other])


def has_companion(groups: Int[Tensor, " N"]) -> Tensor:
    """Return a mask of the rows whose group has two rows or more."""
    _, group, sizes = groups.unique(return_inverse=True, return_counts=True)
    return (groups >= 0) & (sizes[group] > 1)


def check_must_link(groups: Int[Tensor, " groups"], n_rows: int) -> None:
    """Refuse groups that tell nothing.

    Raises:
        InputError: if there is not one number for each row, or no group has two rows.

    >>> check_must_link(torch.tensor([7, 7, -1]), n_rows=3)
    >>> check_must_link(torch.tensor([7, 8, -1]), n_rows=3)
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: no group has two rows...
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

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> with must_linked(gmvae, torch.zeros(3, 4), torch.tensor([7, 7, -1])):
    ...     gmvae.must_link is None
    False
    >>> gmvae.must_link is None
    True
    """
    before = gmvae.must_link
    if must_link is not None:
        gmvae.link(MustLink(x, must_link, covariates=covariates, transform=transform))
    try:
        yield
    finally:
        gmvae.link(before)
