from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import LIKELIHOODS, Gaussian
from pyro_gmvae.models import METHODS, ConcreteGMVAE, ExactGMVAE, MarginalGMVAE, SparseGMVAE
from pyro_gmvae.networks import ConvSizes
from tests.helpers.small import B, D, K, Z, binary_data, flat_gradients, small_gmvae

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "sizes",
    [
        {"n_components": 1},
        {"n_components": 2},
        {"n_components": 7},
        {"latent_dim": 1},
        {"n_components": 1, "latent_dim": 1, "batch": 1},
        {"batch": 1},
        {"input_dim": (1, 8, 8)},
        {"input_dim": 1, "batch": 3},
        {"hidden": (5, 4, 3)},
    ],
    ids=str,
)
def test_any_size(method: str, sizes: dict[str, Any]) -> None:
    sizes = dict(sizes)
    batch = sizes.pop("batch", B)
    gmvae = small_gmvae(method, **sizes)
    x = binary_data(batch, *gmvae.event_shape)
    loss = ELBO(gmvae.model, gmvae.guide)(x)
    assert loss.shape == ()
    assert loss.isfinite()
    assert flat_gradients(loss, gmvae).isfinite().all()
    resp = gmvae.responsibilities(x)
    assert resp.shape == (batch, gmvae.n_components)
    torch.testing.assert_close(resp.sum(-1), torch.ones(batch))
    assert gmvae.posterior(x).sample().shape == (batch, gmvae.latent_dim)
    assert gmvae.model().shape == (1, *gmvae.event_shape)


@pytest.mark.parametrize("n_components", [1, 2, 7])
def test_relaxed_kl_of_any_size(n_components: int) -> None:
    gmvae = small_gmvae("concrete", n_components, kl="relaxed", temperature=0.1)
    loss = ELBO(gmvae.model, gmvae.guide)(binary_data())
    assert flat_gradients(loss, gmvae).isfinite().all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_any_likelihood(method: str, likelihood: str) -> None:
    gmvae = small_gmvae(method, likelihood=likelihood)
    loss = ELBO(gmvae.model, gmvae.guide)(binary_data())
    assert flat_gradients(loss, gmvae).isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_posterior_is_the_mixture_of_its_clusters(method: str) -> None:
    gmvae = small_gmvae(method)
    x, z = binary_data(), torch.randn(B, Z)
    if method == "marginal":
        loc, scale = gmvae.guide.z_head(gmvae.guide.encoder(x))
        expected = torch.distributions.Normal(loc, scale).log_prob(z).sum(-1).exp()
    else:
        features, logits = gmvae.guide.encode(x)
        expected = torch.zeros(B)
        for k in range(K):
            loc, scale = gmvae.guide.z_head(features, torch.eye(K)[k])
            density = torch.distributions.Normal(loc, scale).log_prob(z).sum(-1).exp()
            expected = expected + logits.softmax(-1)[:, k] * density
        torch.testing.assert_close(gmvae.responsibilities(x), logits.softmax(-1))
    torch.testing.assert_close(gmvae.posterior(x).log_prob(z).exp(), expected)


def test_marginal_responsibilities_are_the_mean_posterior() -> None:
    gmvae = small_gmvae("marginal")
    x = binary_data()
    resp = gmvae.responsibilities(x)
    assert torch.equal(resp, gmvae.responsibilities(x))  # the same every time
    draws = gmvae.model.p_y_given_z(gmvae.posterior(x).sample((4000,)))
    # The 64 fixed draws are what errs.
    assert ((resp - draws.mean(0)).abs() < 4.5 * draws.std(0) / gmvae.N_DRAWS**0.5).all()


def own_encoder() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(D, 9), nn.Tanh())


@pytest.mark.parametrize("method", METHODS)
def test_own_networks_and_likelihood(method: str) -> None:
    encoder, decoder = own_encoder(), nn.Linear(Z, D)
    gmvae = small_gmvae(
        method, encoder=encoder, decoder=decoder, likelihood=Gaussian((D,), scale=0.5)
    )
    assert gmvae.guide.encoder is encoder
    assert gmvae.model.decoder is decoder
    loss = ELBO(gmvae.model, gmvae.guide)(torch.randn(B, D))
    loss.backward()
    for parameter in (*encoder.parameters(), *decoder.parameters()):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("method", ["exact", "concrete", "sparse"])
def test_trunks(method: str) -> None:
    own = small_gmvae(method)
    assert own.guide.cluster_encoder is not None
    shared = small_gmvae(method, shared_trunk=True)
    assert shared.guide.cluster_encoder is None
    given = own_encoder()
    assert small_gmvae(method, encoder=given).guide.cluster_encoder is None
    both = small_gmvae(method, encoder=given, cluster_encoder=own_encoder())
    assert both.guide.cluster_encoder is not both.guide.encoder
    x = binary_data()
    with torch.no_grad():
        before = both.responsibilities(x)
        given[1].weight.add_(1.0)
    torch.testing.assert_close(both.responsibilities(x), before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes(method: str, dtype: torch.dtype) -> None:
    gmvae = small_gmvae(method).to(dtype)
    x = binary_data().to(dtype)
    loss = ELBO(gmvae.model, gmvae.guide)(x)
    assert loss.dtype is dtype
    assert flat_gradients(loss, gmvae).dtype is dtype
    assert gmvae.responsibilities(x).dtype is dtype
    assert gmvae.model().dtype is dtype


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components must be at least 1, got 0"),
        ({"latent_dim": 0}, "latent_dim must be at least 1"),
        ({"input_dim": 0}, "input_dim must be at least 1"),
        ({"input_dim": (1, 0, 3)}, "input_dim must be at least 1"),
        ({"hidden": ()}, "hidden must have one size at least"),
        ({"hidden": (5, 0)}, "hidden must be at least 1"),
        ({"likelihood": "no"}, "unknown likelihood 'no'"),
        ({"likelihood": Gaussian((D + 1,))}, "the likelihood is for observations of shape"),
        ({"encoder": nn.Identity(), "input_dim": (1, 2, 3)}, "an encoder must map"),
        ({"network": "transformer"}, 'network must be "mlp" or "conv", got'),
        ({"network": "conv"}, r"conv needs observations of shape \(C, H, W\), got \(6,\)"),
        ({"network": "conv", "input_dim": (4, 4)}, r"of shape \(C, H, W\), got \(4, 4\)"),
        ({"conv": ConvSizes()}, 'conv sizes need network="conv"'),
    ],
)
def test_constructor_errors(method: str, options: dict[str, Any], message: str) -> None:
    arguments = {"input_dim": D, "n_components": K, "latent_dim": Z, "hidden": (5,)} | options
    with pytest.raises(ValueError, match=message):
        METHODS[method](**arguments)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ConcreteGMVAE(D, K, Z, temperature=-1.0), "temperature must be at least"),
        (lambda: ConcreteGMVAE(D, K, Z, kl="no"), "kl must be"),
        (lambda: SparseGMVAE(D, K, Z, n_likeliest=0), "n_likeliest must be at least 1"),
        (lambda: SparseGMVAE(D, K, Z, drawn_share=0.0), "drawn_share must be above 0"),
        (lambda: SparseGMVAE(D, K, Z, drawn_share=1.5), "drawn_share must be .* at most 1"),
        (lambda: MarginalGMVAE(D, K, Z, cluster_encoder=own_encoder()), "no q"),
        (
            lambda: ExactGMVAE(D, K, Z, shared_trunk=True, cluster_encoder=own_encoder()),
            "not both",
        ),
    ],
)
def test_constructor_errors_of_one_method(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_an_empty_sequential_is_the_identity() -> None:
    gmvae = ExactGMVAE(D, K, D, encoder=nn.Sequential(), decoder=nn.Sequential(), hidden=(4,))
    x = torch.randn(B, D)
    assert torch.equal(gmvae.guide.encoder(x), x)
    assert torch.equal(gmvae.model.decoder(x), x)


def test_sizes_of_numpy() -> None:
    assert ExactGMVAE(np.int64(D), K, Z, hidden=(4,)).event_shape == (D,)


def test_labels_cannot_count_against_themselves() -> None:
    with pytest.raises(ValueError, match="label_weight must be at least 0, got -1"):
        ExactGMVAE(D, K, Z, label_weight=-1.0)
