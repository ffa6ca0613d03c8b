"""Convolutional networks: any image, any batch, and pixels that stay where they were."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pyro_gmvae.networks import ConvDecoder, ConvEncoder, ConvSizes, feature_size
from pyro_gmvae.networks.residual import ResidualBlock, Upsample, normalized_silu

SMALL = ConvSizes((8, 12), features=6)


@pytest.mark.parametrize(
    ("event_shape", "sizes"),
    [
        ((1, 8, 8), SMALL),
        ((1, 28, 28), ConvSizes((8, 8, 8))),
        ((3, 32, 32), ConvSizes((8, 8), groups=2, blocks=2)),
        ((2, 7, 5), ConvSizes((8, 16), patch=3)),
        ((1, 9, 3), ConvSizes((8, 16, 24), patch=1)),
        ((1, 1, 1), SMALL),
        ((1, 6, 6), ConvSizes((8,))),
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [(), (2,), (3, 1, 2)])
def test_any_image_and_batch(
    event_shape: tuple[int, ...], sizes: ConvSizes, batch: tuple[int, ...]
) -> None:
    encoder = ConvEncoder(event_shape, sizes)
    assert encoder(torch.randn(*batch, *event_shape)).shape == (*batch, sizes.features)
    for output_shape in (event_shape, (2, *event_shape), (5 * 3, *event_shape)):
        decoder = ConvDecoder(4, output_shape, sizes)
        assert decoder(torch.randn(*batch, 4)).shape == (*batch, *output_shape)


def test_each_of_a_batch_is_computed_alone() -> None:
    encoder, decoder = ConvEncoder((1, 7, 7), SMALL), ConvDecoder(4, (2, 1, 7, 7), SMALL)
    x, z = torch.randn(3, 2, 1, 7, 7), torch.randn(3, 2, 4)
    features, output = encoder(x), decoder(z)
    for i in range(3):
        for j in range(2):
            torch.testing.assert_close(features[i, j], encoder(x[i, j]))
            torch.testing.assert_close(output[i, j], decoder(z[i, j]))


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_every_parameter_and_pixel_has_a_gradient(patch: int) -> None:
    sizes = ConvSizes((8, 12), features=16, patch=patch)
    encoder, decoder = ConvEncoder((2, 7, 5), sizes), ConvDecoder(16, (2, 7, 5), sizes)
    x = torch.randn(6, 2, 7, 5, requires_grad=True)
    weights = torch.randn(6, 2, 7, 5)
    (decoder(encoder(x)) * weights).sum().backward()
    for name, parameter in [*encoder.named_parameters(), *decoder.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert (x.grad.abs().amax(0) > 0).all()


@pytest.mark.parametrize("patch", [1, 2])
def test_pixels_stay_where_they_were(patch: int) -> None:
    """Latents to image without height and width swapped or colours mixed up."""
    decoder = ConvDecoder(2, (2, 3, 4, 6), ConvSizes((8,), patch=patch))
    # Let each channel of the coarsest resolution be a picture of its own, handed on as it is.
    decoder.layers = nn.Identity()
    height, width, _ = decoder.coarsest
    with torch.no_grad():
        decoder.input.weight.zero_()
        rows = torch.arange(height).view(-1, 1, 1).expand(decoder.coarsest)
        decoder.input.bias.copy_(rows.flatten())
        decoder.output.weight.zero_()
        decoder.output.weight[:, 0, 1, 1] = 1
        decoder.output.bias.copy_(100.0 * torch.arange(6 * patch**2))
    out = decoder(torch.zeros(1, 2))[0]
    for parameter in range(2):
        for colour in range(3):
            for row in range(4):
                for column in range(6):
                    inner = row % patch * patch + column % patch
                    channel = (parameter * 3 + colour) * patch**2 + inner
                    expected = row // patch + 100 * channel
                    assert out[parameter, colour, row, column] == expected


def test_a_shifted_image_gives_shifted_convolutions() -> None:
    encoder = ConvEncoder((1, 32, 32), ConvSizes((8, 8), patch=2))
    seen: list[Tensor] = []
    encoder.layers[0].branch[1].register_forward_hook(lambda m, args, out: seen.append(out))
    # Group normalisation sees the whole image: an equal sum keeps it the same.
    x = torch.zeros(2, 1, 32, 32)
    x[0, 0, 12:16, 12:16] = x[1, 0, 16:20, 12:16] = torch.randn(4, 4)
    encoder(x)
    torch.testing.assert_close(seen[0][0][:, 2:-4], seen[0][1][:, 4:-2], atol=1e-5, rtol=1e-5)


def test_upsampling_crops_to_odd_sizes() -> None:
    layer = Upsample(2, 1, (5, 7))
    with torch.no_grad():
        layer.layer.weight.copy_(torch.ones(2, 1, 2, 2) * torch.tensor([1.0, 0.0]).view(2, 1, 1, 1))
    x = torch.randn(1, 2, 3, 4)
    expected = x[:, :1].repeat_interleave(2, -2).repeat_interleave(2, -1)[..., :5, :7]
    torch.testing.assert_close(layer(x), expected)


def test_a_residual_block_begins_near_the_identity() -> None:
    x = torch.randn(16, 32, 8, 8)
    change = ResidualBlock(32, 4)(x) - x
    assert 0 < change.std() < 0.1


@pytest.mark.parametrize("event_shape", [(1, 28, 28), (3, 32, 32), (1, 7, 7)])
@pytest.mark.parametrize("patch", [1, 2])
def test_every_convolution_sees_channels_last(
    event_shape: tuple[int, int, int], patch: int
) -> None:
    """Another memory format costs a CPU more than twice the time."""
    sizes = ConvSizes((8, 8), patch=patch)
    encoder, decoder = ConvEncoder(event_shape, sizes), ConvDecoder(4, event_shape, sizes)
    others = []

    def look(module: nn.Module, args: tuple[Tensor]) -> None:
        if not args[0].is_contiguous(memory_format=torch.channels_last):
            others.append(module)

    for module in [*encoder.modules(), *decoder.modules()]:
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_pre_hook(look)
    x = torch.randn(2, *event_shape)
    encoder(x)
    assert decoder(torch.randn(2, 4)).is_contiguous()  # as the observations are
    assert not others


def test_feature_size() -> None:
    assert feature_size(ConvEncoder((1, 8, 8), SMALL), (1, 8, 8)) == 6


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"for shapes \(C, H, W\), got \(28, 28\)"):
        ConvEncoder((28, 28), SMALL)
    with pytest.raises(ValueError, match=r"for shapes \(..., H, W\), got \(5,\)"):
        ConvDecoder(4, (5,), SMALL)


def test_normalises_in_float32_whatever_the_convolutions_compute_in() -> None:
    normalize, x = normalized_silu(8, 2)[0], (3 + torch.randn(4, 8, 5, 5)).bfloat16()
    nn.init.normal_(normalize.weight)
    with torch.autocast("cpu", torch.bfloat16):
        found = normalize(x)
        assert found.dtype == torch.bfloat16
    assert torch.equal(found, normalize(x.float()).bfloat16())
    assert normalize.double()(x.double()).dtype == torch.float64
