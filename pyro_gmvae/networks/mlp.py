"""Encode and decode observations of any shape by linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["MLPDecoder", "MLPEncoder", "linear", "mlp"]


def linear(n_in: int, n_out: int, *, bias: bool = True) -> nn.Linear:
    """Build a linear layer, initialised as in Glorot and Bengio (2010), with biases at zero.

    Torch's own initial weights are smaller by a factor of about two, and with them the ELBO rises
    more slowly.

    >>> layer = linear(4, 2)
    >>> layer.weight.shape, layer.bias.tolist()
    (torch.Size([2, 4]), [0.0, 0.0])
    """
    layer = nn.Linear(n_in, n_out, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Build linear layers between ``sizes``, each followed by a ReLU.

    >>> [type(layer).__name__ for layer in mlp((4, 8, 2))]
    ['Linear', 'ReLU', 'Linear', 'ReLU']
    """
    layers: list[nn.Module] = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers)


class MLPEncoder(nn.Module):
    """Encode observations ``(*batch, *event_shape)`` as features ``(*batch, hidden[-1])``.

    Args:
        event_shape: shape of one observation.
        hidden: sizes of the layers; with ``()`` the features are the flattened observation.

    >>> encoder = MLPEncoder((2, 3), hidden=(8, 4))
    >>> encoder(torch.zeros(5, 2, 3)).shape
    torch.Size([5, 4])
    """

    def __init__(self, event_shape: Sequence[int], hidden: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        self.n_features = [prod(event_shape), *hidden][-1]
        self.layers = mlp([prod(event_shape), *hidden])

    def forward(self, x: Float[Tensor, "*batch_and_event"]) -> Float[Tensor, "*batch features"]:
        return self.layers(x.flatten(-len(self.event_shape)))


class MLPDecoder(nn.Module):
    """Decode latents ``(*batch, latent_dim)`` to likelihood parameters ``(*batch, *output_shape)``.

    Args:
        latent_dim: Z.
        hidden: sizes of the hidden layers.
        output_shape: shape of the likelihood's parameters for one observation.

    >>> decoder = MLPDecoder(2, hidden=(8,), output_shape=(2, 3))
    >>> decoder(torch.zeros(5, 2)).shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, latent_dim: int, hidden: Sequence[int], output_shape: Sequence[int]) -> None:
        super().__init__()
        self.output_shape = tuple(output_shape)
        self.layers = mlp([latent_dim, *hidden])
        self.output = linear([latent_dim, *hidden][-1], prod(output_shape))

    def forward(self, z: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch_and_output"]:
        # Keep two dimensions throughout: with a view between a ReLU and the next product, the
        # compiler writes the ReLU's mask to memory, which takes as long as the product.
        output = self.output(self.layers(z.reshape(-1, z.shape[-1])))
        return output.reshape(*z.shape[:-1], *self.output_shape)
