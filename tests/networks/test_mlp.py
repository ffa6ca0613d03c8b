from __future__ import annotations

import pytest
import torch

from pyro_gmvae.networks import MLPDecoder, MLPEncoder, mlp


def test_mlp_ends_in_a_nonlinearity() -> None:
    assert (mlp([3, 8, 4])(torch.randn(50, 3)) >= 0).all()
    assert len(mlp([3])) == 0


@pytest.mark.parametrize("batch", [(2,), (3, 1, 2)])
def test_encoder_and_decoder_keep_leading_dimensions(batch: tuple[int, ...]) -> None:
    encoder, decoder = MLPEncoder((1, 4, 4), (7, 5)), MLPDecoder(5, (7,), (2, 4, 4))
    assert encoder(torch.randn(*batch, 1, 4, 4)).shape == (*batch, 5)
    assert decoder(torch.randn(*batch, 5)).shape == (*batch, 2, 4, 4)


def test_encoder_without_layers_flattens() -> None:
    x = torch.randn(3, 2, 2)
    torch.testing.assert_close(MLPEncoder((2, 2), ())(x), x.view(3, 4))
    assert MLPDecoder(3, (), (2,))(torch.zeros(3)).shape == (2,)
