"""Notice a loss that is not finite, early on CPU and without a sync per step on CUDA."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyro_gmvae.inference import ELBOTerms
from pyro_gmvae.training.errors import NonFiniteLossError

__all__ = ["FiniteWatch"]


class FiniteWatch:
    """Check the loss, its sites and the gradient before each optimizer step.

    On CPU every step is checked, before it can spoil the weights. On CUDA the flags stay on the
    device and are read every ``every`` steps and whenever `read` is called; the weights of the
    last good reading are restored.

    >>> watch = FiniteWatch(torch.nn.Linear(2, 1), torch.device("cpu"))
    >>> terms = ELBOTerms(torch.tensor(float("nan")), {"x": torch.tensor(float("nan"))})
    >>> watch.see(terms, gradient_norm=torch.tensor(1.0))
    >>> watch.check(step=7)
    Traceback (most recent call last):
        ...
    pyro_gmvae.training.errors.NonFiniteLossError: ... at step 7: it comes from site 'x'...
    """

    def __init__(self, module: nn.Module, device: torch.device, every: int = 50) -> None:
        self.module = module
        self.every = 1 if device.type == "cpu" else every
        self.step = 0
        self.sites: list[str] = []
        self.flags: Tensor | None = None
        self.good = self._snapshot() if self.every > 1 else None

    def _snapshot(self) -> dict[str, Tensor]:
        return {n: t.detach().clone() for n, t in self.module.state_dict().items()}

    def see(self, terms: ELBOTerms, gradient_norm: Tensor) -> None:
        """Flag the terms of one step that are not finite, on the device alone."""
        sites = {**terms.sites, "gradient": gradient_norm}
        flags = torch.stack([~value.isfinite() for value in sites.values()])
        if self.flags is None:
            self.sites, self.flags = list(sites), torch.zeros_like(flags)
        # The first bad step names the culprit; later ones are bad everywhere.
        self.flags.copy_(torch.where(self.flags.any(), self.flags, flags))

    def check(self, step: int) -> None:
        """Note that `see` has seen the step of this number, and read the flags when it is time.

        Raises:
            NonFiniteLossError: as `read`.
        """
        self.step = step
        if (step + 1) % self.every == 0:
            self.read()

    def read(self) -> None:
        """Read the flags of the steps since the last reading.

        Raises:
            NonFiniteLossError: with the site that is not finite.
        """
        if self.flags is None:
            return
        bad = [name for name, flag in zip(self.sites, self.flags.tolist(), strict=True) if flag]
        self.flags.zero_()
        if bad:
            if self.good is not None:
                self.module.load_state_dict(self.good)
            raise NonFiniteLossError(self.step, bad[0])
        if self.good is not None:
            self.good = self._snapshot()
