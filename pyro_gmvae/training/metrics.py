"""Accumulate the metrics of an epoch on the device, and read them once."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from pyro_gmvae.inference import ELBOTerms
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.processes import summed

__all__ = ["Meter", "clusters_in_use"]


class Meter:
    """Sum the loss and each site's contribution, and return their means per datum.

    Args:
        apart: sites that are trained on and are no part of the bound.

    Attributes:
        count: number of data whose terms were added; the caller of `add` counts them.
        sums: the sums by name, on the device, changed in place.

    >>> meter = Meter()
    >>> for loss in (10.0, 20.0):  # two batches of five data
    ...     meter.add(ELBOTerms(torch.tensor(loss), {"x": torch.tensor(-loss)}))
    ...     meter.count += 5
    >>> meter.means()["loss"]
    3.0
    """

    def __init__(self, apart: Collection[str] = ()) -> None:
        self.apart = apart
        self.count = 0
        self.sums: dict[str, Tensor] = {}

    def reset(self) -> None:
        """Set the sums and the count to zero."""
        self.count = 0
        for value in self.sums.values():
            value.zero_()

    def add(self, terms: ELBOTerms) -> None:
        """Add a batch's terms, in place."""
        for name, value in {"loss": terms.loss.detach(), **terms.sites}.items():
            if name not in self.sums:
                self.sums[name] = torch.zeros_like(value)
            self.sums[name] += value

    def means(self) -> dict[str, float]:
        """Return means per datum of all processes, in nats: the annealed ``loss``, the ``elbo`` and
        its parts.

        ``log_likelihood`` is E_q log p(x|z), ``kl_z`` and ``kl_y`` the divergences of the latent
        sites; any further site has its own name.
        """
        names = sorted(
            self.sums
        )  # a fixed order, so that a resumed training has the same last digit
        count = torch.tensor(self.count).to(self.sums[names[0]].double())
        *values, n_rows = summed(
            torch.stack([*(self.sums[n].double() for n in names), count])
        ).tolist()  # one read
        mean = {n: v / n_rows for n, v in zip(names, values, strict=True)}
        loss = mean.pop("loss")
        elbo = sum(v for name, v in mean.items() if name not in self.apart)
        sites = (("x", "log_likelihood", 1), ("z", "kl_z", -1), ("y", "kl_y", -1))
        parts = {name: sign * mean.pop(site, 0.0) for site, name, sign in sites}
        return {"loss": loss, "elbo": elbo, **parts, **mean}


@torch.no_grad()
def clusters_in_use(gmvae: GMVAE, x: Tensor, *covariates: Tensor) -> int:
    """Count the clusters that are the likeliest one of at least one datum.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> clusters_in_use(gmvae, torch.ones(8, 4))  # eight equal rows
    1
    """
    return int(gmvae.responsibilities(x, *covariates).argmax(-1).unique().numel())
