"""Networks of linear layers, for observations of any shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["MLPDecoder", "MLPEncoder", "linear", "mlp"]


def linear(n_in: int, n_out: int, *, bias: bool = True) -> nn.Linear:
    """A linear layer that begins as Glorot and Bengio (2010) have it, biases at zero.

    Torch's own beginning is weaker by a factor of about two, and the ELBO rises more slowly.
    """
    layer = nn.Linear(n_in, n_out, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers between ``sizes``, a ReLU after each one."""
    layers: list[nn.Module] = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers)


class MLPEncoder(nn.Module):
    """Observations ``(*batch, *event_shape)`` to features ``(*batch, hidden[-1])``.

    With ``hidden=()`` the features are the flattened observation.
    """

    def __init__(self, event_shape: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        self.event_dim = len(event_shape)
        self.layers = mlp([prod(event_shape), *hidden])

    def forward(self, x: Float[Tensor, "*batch_and_event"]) -> Float[Tensor, "*batch features"]:
        return self.layers(x.flatten(-self.event_dim))


class MLPDecoder(nn.Module):
    """Latents ``(*batch, latent_dim)`` to likelihood parameters ``(*batch, *output_shape)``."""

    def __init__(self, latent_dim: int, hidden: Sequence[int], output_shape: Sequence[int]) -> None:
        super().__init__()
        self.output_shape = tuple(output_shape)
        self.layers = mlp([latent_dim, *hidden])
        self.output = linear([latent_dim, *hidden][-1], prod(output_shape))

    def forward(self, z: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch_and_output"]:
        # Two dimensions throughout: with a view between a ReLU and the next product the compiler
        # writes the ReLU's mask to memory, which takes as long as the product.
        output = self.output(self.layers(z.reshape(-1, z.shape[-1])))
        return output.reshape(*z.shape[:-1], *self.output_shape)
