"""The four methods on convolutional networks."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import nn

from pyro_gmvae.evaluation import cluster_means, log_likelihood, sample
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import LIKELIHOODS
from pyro_gmvae.models import METHODS, from_config, to_config
from pyro_gmvae.networks import ConvDecoder, ConvEncoder, ConvSizes
from tests.helpers.small import CONV, B, K, Z, binary_data, fix_noise, flat_gradients, small_gmvae

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)
IMAGE = CONV["input_dim"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("image", [(1, 8, 8), (3, 7, 4), (1, 1, 1)], ids=str)
def test_the_gradient_reaches_every_parameter(method: str, image: tuple[int, ...]) -> None:
    gmvae = small_gmvae(method, **CONV | {"input_dim": image})
    ELBO(gmvae.model, gmvae.guide)(binary_data(32, *image)).backward()
    for name, parameter in gmvae.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if image != (1, 1, 1):  # where a ReLU may be closed for both of its images
            assert parameter.grad.abs().sum() > 0, name


# A table has columns, and no convolutions.
@pytest.mark.parametrize("likelihood", [name for name in LIKELIHOODS if name != "table"])
def test_any_likelihood(likelihood: str) -> None:
    gmvae = small_gmvae("exact", **CONV, likelihood=likelihood)
    assert isinstance(gmvae.model.decoder, ConvDecoder)
    loss = ELBO(gmvae.model, gmvae.guide)(binary_data(B, *IMAGE))
    assert flat_gradients(loss, gmvae).isfinite().all()


def test_enumerated_clusters_are_looped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = torch.randn(B, Z)
    fix_noise(monkeypatch, noise)
    gmvae, x = small_gmvae("exact", **CONV), binary_data(B, *IMAGE)
    model, guide = gmvae.model, gmvae.guide
    features, logits = guide.encode(x)
    expected = torch.zeros(())
    for k in range(K):
        y = torch.eye(K)[k].expand(B, K)
        q_z = guide.q_z(features, y)
        z = q_z.base_dist.loc + q_z.base_dist.scale * noise
        p_z = model.p_z(y).base_dist
        kl_z = torch.distributions.kl_divergence(q_z.base_dist, p_z).sum(-1)
        log_q = logits.log_softmax(-1)[:, k]
        kl_y = log_q - model.log_p_y()[k]
        expected = expected + (log_q.exp() * (model.p_x(z).log_prob(x) - kl_z - kl_y)).sum()
    terms = ELBO.terms(model, guide, x)
    torch.testing.assert_close(-terms.loss, expected)
    torch.testing.assert_close(
        flat_gradients(terms.loss, gmvae), flat_gradients(-expected, gmvae), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("method", "options", "n_encoders"),
    [
        ("exact", {}, 2),
        ("concrete", {"shared_trunk": True}, 1),
        ("marginal", {}, 1),
        ("sparse", {"encoder": nn.Flatten()}, 0),
        ("sparse", {"cluster_encoder": nn.Flatten()}, 1),
        ("exact", {"decoder": nn.Sequential(nn.Linear(Z, 30), nn.Unflatten(-1, IMAGE))}, 2),
    ],
)
def test_trunks(method: str, options: dict, n_encoders: int) -> None:
    gmvae = small_gmvae(method, **CONV, hidden=(9, 5), **options)
    assert sum(isinstance(m, ConvEncoder) for m in gmvae.guide.modules()) == n_encoders
    assert isinstance(gmvae.model.decoder, ConvDecoder) == ("decoder" not in options)
    if n_encoders:
        # The head has the last of the hidden sizes alone.
        assert gmvae.guide.z_head.from_features.weight.shape == (5, CONV["conv"].features)
        assert len(gmvae.guide.z_head.layers) == 0
    x = binary_data(B, *IMAGE)
    assert ELBO(gmvae.model, gmvae.guide)(x).isfinite()
    torch.testing.assert_close(gmvae.responsibilities(x).sum(-1), torch.ones(B))


def test_sizes_reach_every_network() -> None:
    gmvae = small_gmvae("exact", **CONV | {"conv": ConvSizes((12,), 2, 7, 3, 1)})
    for network in (gmvae.guide.encoder, gmvae.guide.cluster_encoder, gmvae.model.decoder):
        norms = [m for m in network.modules() if isinstance(m, nn.GroupNorm)]
        assert len(norms) == 2 * 2 + 1
        assert {(n.num_channels, n.num_groups) for n in norms} == {(12, 3)}
    assert gmvae.guide.y_head.in_features == 7
    built = small_gmvae("exact", input_dim=IMAGE, network="conv").options["conv"]
    assert built == ConvSizes(patch=1)  # small images are seen pixel by pixel


@pytest.mark.parametrize("method", METHODS)
def test_the_encoder_that_tells_the_cluster_may_be_of_another_network(method: str) -> None:
    gmvae = small_gmvae(method, input_dim=IMAGE, cluster_network="conv")
    guide = gmvae.guide
    telling = guide.encoder if method == "marginal" else guide.cluster_encoder
    assert isinstance(telling, ConvEncoder)
    assert not any(isinstance(m, nn.Conv2d) for m in gmvae.model.modules())
    x = binary_data(5, *IMAGE)
    assert gmvae.responsibilities(x).shape == (5, K)
    again = from_config(to_config(gmvae))
    again.load_state_dict(gmvae.state_dict())
    torch.testing.assert_close(again.responsibilities(x), gmvae.responsibilities(x))


def test_a_shared_trunk_is_of_one_network() -> None:
    with pytest.raises(ValueError, match="leave out cluster_network"):
        small_gmvae("exact", input_dim=IMAGE, cluster_network="conv", shared_trunk=True)


@pytest.mark.parametrize("method", METHODS)
def test_evaluation(method: str) -> None:
    gmvae, x = small_gmvae(method, **CONV), binary_data(5, *IMAGE)
    assert sample(gmvae, 3)[0].shape == (3, *IMAGE)
    assert cluster_means(gmvae).shape == (K, *IMAGE)
    assert gmvae.model().shape == (1, *IMAGE)
    # Against the mean of p(x|z) over a prior within the untrained q(z|x).
    n = 4000
    with torch.no_grad():
        gmvae.model.component_raw_scale.fill_(-1.0)
        y = torch.randint(K, (n, 1))
        loc, scale = gmvae.model.component_loc[y], gmvae.model.component_scale[y]
        log_p = gmvae.model.p_x(loc + scale * torch.randn(n, 1, Z)).log_prob(x)
    estimate = log_likelihood(gmvae, x, num_samples=n)
    ess = log_p.softmax(0).square().sum(0).reciprocal()
    standard_error = (1 / ess + 1 / estimate.ess - 2 / n).sqrt()
    assert ((estimate.log_p - log_p.logsumexp(0) + log(n)).abs() < 4.5 * standard_error).all()
