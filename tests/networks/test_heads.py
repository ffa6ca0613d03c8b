from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pyro_gmvae.networks import ConvEncoder, ConvSizes, GaussianHead, MLPEncoder, feature_size


def test_gaussian_head_sees_each_enumerated_cluster() -> None:
    head = GaussianHead(4, 3, (6, 5), 2)
    features = torch.randn(7, 4)
    loc, scale = head(features, torch.eye(3).unsqueeze(1))
    assert loc.shape == scale.shape == (3, 7, 2)
    for k in range(3):
        alone = head(features, torch.eye(3)[k].expand(7, 3))
        torch.testing.assert_close((loc[k], scale[k]), alone)
    assert not torch.allclose(loc[0], loc[1])


def test_gaussian_head_without_clusters() -> None:
    head = GaussianHead(4, 0, (6,), 2)
    features = torch.randn(7, 4)
    torch.testing.assert_close(head(features), head(features, torch.randn(7, 3)))


def test_gaussian_head_scale_is_never_zero() -> None:
    head = GaussianHead(4, 0, (6,), 2)
    head.output.bias.data.fill_(-1e4)
    _, scale = head(torch.randn(7, 4))
    assert (scale >= 1e-4).all()


def test_feature_size_leaves_the_encoder_as_it_was() -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout())
    encoder[2].eval()  # frozen by the user
    rng = torch.get_rng_state()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    assert feature_size(encoder, (2, 3)) == 5
    assert [m.training for m in encoder] == [True, True, False, True]
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng)


def test_feature_size_of_an_encoder_of_images() -> None:
    class Wrong(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(ValueError, match=r"from \(1, 1, 4, 4\) this one made \(1, 1, 4, 4\)"):
        feature_size(Wrong(), (1, 4, 4))
    assert feature_size(nn.Sequential(nn.Flatten(), nn.Linear(16, 3).double()), (1, 4, 4)) == 3


class Longer(MLPEncoder):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([super().forward(x), super().forward(x)], -1)


@pytest.mark.parametrize(
    ("encoder", "event_shape"),
    [
        (MLPEncoder((2, 3), ()), (2, 3)),
        (MLPEncoder((2, 3), (5, 4)), (2, 3)),
        (ConvEncoder((1, 8, 6), ConvSizes((8,), features=7)), (1, 8, 6)),
        (Longer((2, 3), (4,)), (2, 3)),
    ],
)
def test_feature_size_is_what_an_encoder_makes(encoder: nn.Module, event_shape: tuple) -> None:
    made = encoder(torch.zeros(1, *event_shape)).shape[1]
    assert feature_size(encoder, event_shape) == made


def test_an_encoder_for_another_shape() -> None:
    with pytest.raises(RuntimeError):
        feature_size(MLPEncoder((2, 3), (4,)), (2, 4))


def test_an_encoder_that_fails_stays_in_its_mode() -> None:
    encoder = nn.Sequential(nn.Dropout(), nn.Linear(3, 2))
    with pytest.raises(RuntimeError):
        feature_size(encoder, (5,))
    assert encoder.training
