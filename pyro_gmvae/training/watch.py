"""Noticing a loss that is not finite, early on CPU and without a sync per step on CUDA."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyro_gmvae.inference import ELBOTerms
from pyro_gmvae.training.errors import NonFiniteLossError

__all__ = ["FiniteWatch"]


class FiniteWatch:
    """Checks the loss, its sites and the gradient before each optimizer step.

    On CPU every step is checked, before it can spoil the weights. On CUDA the flags stay on the
    device and are read every ``every`` steps; the weights of the last good reading are restored.
    """

    def __init__(self, module: nn.Module, device: torch.device, every: int = 50) -> None:
        self.module = module
        self.every = 1 if device.type == "cpu" else every
        self.flags: Tensor | None = None
        self.good = self._snapshot() if self.every > 1 else None

    def _snapshot(self) -> dict[str, Tensor]:
        return {n: t.detach().clone() for n, t in self.module.state_dict().items()}

    def check(self, step: int, terms: ELBOTerms, gradient_norm: Tensor) -> None:
        """Look at one step.

        Raises:
            NonFiniteLossError: with the site it came from.
        """
        sites = {**terms.sites, "gradient": gradient_norm}
        flags = torch.stack([~value.isfinite() for value in sites.values()])
        # The first bad step names the culprit; later ones are bad everywhere.
        if self.flags is not None:
            flags = torch.where(self.flags.any(), self.flags, flags)
        if (step + 1) % self.every:
            self.flags = flags
            return
        self.flags = None
        bad = [name for name, flag in zip(sites, flags.tolist(), strict=True) if flag]
        if bad:
            if self.good is not None:
                self.module.load_state_dict(self.good)
            raise NonFiniteLossError(step, bad[0])
        if self.good is not None:
            self.good = self._snapshot()
