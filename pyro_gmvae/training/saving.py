"""Save the state of a training from time to time."""

from __future__ import annotations

import time
from pathlib import Path

from pyro_gmvae.training.epochs import Epochs
from pyro_gmvae.training.state import save_or_warn

__all__ = ["Checkpoints"]


class Checkpoints:
    """Write checkpoints between steps, at least some seconds apart.

    Args:
        epochs: the training.
        path: the file; None writes none, as in all processes but the first.
        seconds: the least time between two checkpoints.

    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import ResidentBatches
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> from pyro_gmvae.training import TrainConfig
    >>> from pyro_gmvae.training.loop import elbo_objective, make_accelerator
    >>> x, config = torch.zeros(20, 2), TrainConfig(epochs=2, batch_size=10)
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> epochs = Epochs(
    ...     gmvae, config, make_accelerator("cpu"), elbo_objective(gmvae, config),
    ...     ResidentBatches(x, 10), torch.Generator(), held_out=None, counted=[x],
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     checkpoints = Checkpoints(epochs, Path(folder) / "state", seconds=3600)
    ...     checkpoints.if_due()  # an hour has not passed
    ...     print(checkpoints.path.exists())
    ...     checkpoints.now()
    ...     print(checkpoints.path.exists())
    False
    True
    """

    def __init__(self, epochs: Epochs, path: Path | None, seconds: float) -> None:
        self.epochs = epochs
        self.path = path
        self.seconds = seconds
        self._saved_at = time.monotonic()

    def if_due(self) -> None:
        """Save if the time has come and the last step is no end of an epoch, which is recorded.

        Raises:
            NonFiniteLossError: if the loss has become NaN or infinite, before it is saved.
        """
        if self.path is None or time.monotonic() - self._saved_at <= self.seconds:
            return
        if self.epochs.at_end_of_epoch:
            return
        self.epochs.watch.read()
        self.now()

    def now(self) -> None:
        """Save."""
        if self.path is not None:
            save_or_warn(self.epochs.state, self.path)
            self._saved_at = time.monotonic()
