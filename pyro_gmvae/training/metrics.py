"""What happened in an epoch, accumulated on the device and read once."""

from __future__ import annotations

import torch
from torch import Tensor

from pyro_gmvae.inference import ELBOTerms
from pyro_gmvae.models import GMVAE, MUST_LINK, PENALTIES

__all__ = ["Meter", "clusters_in_use"]


class Meter:
    """Sums of the loss and of each site's contribution; means per datum when read.

    Attributes:
        count: data whose terms were added, to be kept by who adds them.
        sums: on the device, changed in place.
    """

    def __init__(self) -> None:
        self.count = 0
        self.sums: dict[str, Tensor] = {}

    def reset(self) -> None:
        """Begin anew."""
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
        """Per datum, in nats: the annealed ``loss``, the ``elbo`` and its parts.

        ``log_likelihood`` is E_q log p(x|z), ``kl_z`` and ``kl_y`` the divergences of the latent
        sites; any further site has its own name.
        """
        names = sorted(self.sums)  # one order: a resumed training adds up to the same last digit
        values = torch.stack([self.sums[n].double() for n in names]).tolist()  # one read
        mean = {n: v / self.count for n, v in zip(names, values, strict=True)}
        loss = mean.pop("loss")
        # What teaches q(y|x) labels or clusters is a factor of the guide's, no part of the bound.
        apart = ("classifier", MUST_LINK, *PENALTIES)
        elbo = sum(v for name, v in mean.items() if name not in apart)
        parts = {"log_likelihood": mean.pop("x"), "kl_z": -mean.pop("z"), "kl_y": -mean.pop("y", 0)}
        return {"loss": loss, "elbo": elbo, **parts, **mean}


@torch.no_grad()
def clusters_in_use(gmvae: GMVAE, x: Tensor, *covariates: Tensor) -> int:
    """How many clusters are the likeliest one of at least one datum."""
    return int(gmvae.responsibilities(x, *covariates).argmax(-1).unique().numel())
