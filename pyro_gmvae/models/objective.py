"""Hold the annealed quantities of the objective as tensors that model and guide share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyro_gmvae.ranges import real

__all__ = ["LEAST_WEIGHT", "MOST_WEIGHT", "ObjectiveWeights"]

LEAST_WEIGHT, MOST_WEIGHT = 1e-30, 1e30  # float32 would make 0 or infinity of others


class ObjectiveWeights(nn.Module):
    r"""Hold the weights w_t and b_t of the objective and the temperature tau.

    .. math:: E_q \log p(x|z) - b_t KL(q(z|x,y) \| p(z|y)) - w_t KL(q(y|x) \| p(y))

    They are zero-dimensional buffers. A schedule fills them in place, so that a compiled or
    captured step sees the new value without a new trace. They belong to training, not to the
    model, and are not part of its state.

    Args:
        temperature: first value of tau.

    Attributes:
        kl_weight: w_t, the scale of site ``y``; positive.
        z_kl_weight: b_t, the scale of site ``z``; positive.
        temperature: tau of the Concrete distribution; positive.
        regularizer_weight: scale of the penalties of a `Regularizer`; positive.

    >>> weights = ObjectiveWeights()
    >>> weights.set(kl_weight=0.25)
    >>> weights.kl_weight
    tensor(0.2500)
    """

    kl_weight: Tensor
    z_kl_weight: Tensor
    temperature: Tensor
    regularizer_weight: Tensor

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        self.register_buffer("kl_weight", torch.tensor(1.0), persistent=False)
        self.register_buffer("z_kl_weight", torch.tensor(1.0), persistent=False)
        self.register_buffer("temperature", torch.tensor(1.0), persistent=False)
        self.register_buffer("regularizer_weight", torch.tensor(1.0), persistent=False)
        self.set(temperature=temperature)

    def values(self) -> dict[str, float]:
        """Return every weight by its name."""
        return {name: float(value) for name, value in self.named_buffers()}

    def set(
        self,
        *,
        kl_weight: float | None = None,
        z_kl_weight: float | None = None,
        temperature: float | None = None,
        regularizer_weight: float | None = None,
    ) -> None:
        """Set the given quantities; None leaves one as it is.

        Raises:
            InputError: if a value is not from 1e-30 to 1e30, as float32 holds it. Pyro refuses a
                scale of zero: start an annealing at a small positive number.
        """
        values = {
            "kl_weight": kl_weight,
            "z_kl_weight": z_kl_weight,
            "temperature": temperature,
            "regularizer_weight": regularizer_weight,
        }
        for name, value in values.items():
            if value is None:
                continue
            number = real(name, value, least=LEAST_WEIGHT, most=MOST_WEIGHT)
            getattr(self, name).fill_(number)
