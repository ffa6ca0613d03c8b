"""Define the errors that end a training before its time."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from pyro_gmvae.errors import SignalReceived

__all__ = ["NonFiniteLossError", "TrainingInterrupted"]

_HINTS = {
    "x": "check the scale of the data, or lower the learning rate",
    "z": "check the scale of the data, lower the learning rate or lengthen the annealing",
    "y": "check the scale of the data, or lower the learning rate",
    "gradient": "lower the learning rate or clip_norm",
}


class NonFiniteLossError(RuntimeError):
    """Report a loss or gradient that is NaN or infinite; the model keeps its last good weights.

    Attributes:
        step: the step at which it was seen.
        site: the Pyro site it came from, or ``"gradient"``.
        fitted: the model with its last good weights, where `pyro_gmvae.fitting` trained it.

    >>> error = NonFiniteLossError(7, "x")
    >>> error.step, error.site
    (7, 'x')
    """

    fitted: Any = None

    def __init__(self, step: int, site: str) -> None:
        hint = _HINTS.get(site, "look at that site in your model")
        where = "the gradient" if site == "gradient" else f"site {site!r}"
        super().__init__(
            f"the loss is not finite at step {step}: it comes from {where}. Hint: {hint}. "
            "The last good weights are kept."
        )
        self.step = step
        self.site = site

    def __reduce__(self) -> tuple[type[NonFiniteLossError], tuple[int, str]]:
        return type(self), (self.step, self.site)  # without the model


class TrainingInterrupted(SignalReceived):
    """Report that a signal ended the training after its current step.

    Attributes:
        checkpoint: the file that training can resume from.
        number: the number of the signal.

    >>> error = TrainingInterrupted(Path("state"), signal.SIGTERM)
    >>> str(error), error.checkpoint.name
    ('training was interrupted; its state is in state', 'state')
    """

    def __init__(self, checkpoint: Path, number: int = signal.SIGINT) -> None:
        super().__init__(number, f"training was interrupted; its state is in {checkpoint}")
        self.checkpoint = checkpoint
