from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import TraceEnum_ELBO
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import binary_cross_entropy_with_logits

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE, METHODS
from tests.helpers.small import B, D, K, Z, binary_data, fix_noise, flat_gradients, small_gmvae

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)


# The objective written out in plain torch: no sites, no plates, one cluster after the other.


def log_p_x(gmvae: GMVAE, x: Tensor, z: Tensor) -> Tensor:
    logits = gmvae.model.decoder(z)
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def normal_kl(loc: Tensor, scale: Tensor, prior_loc: Tensor, prior_scale: Tensor) -> Tensor:
    ratio = scale / prior_scale
    shift = (loc - prior_loc) / prior_scale
    return (0.5 * (ratio**2 + shift**2 - 1) - ratio.log()).sum(-1)


def exact_by_hand(gmvae: GMVAE, x: Tensor, noise: Tensor) -> Tensor:
    """Minus sum_y q_y (log p(x|z_y) - b KL(q(z|x,y) || p(z|y))) + w KL(q(y|x) || p(y))."""
    model, guide, weights = gmvae.model, gmvae.guide, gmvae.weights
    features, logits = guide.encode(x)
    log_q, log_p = logits.log_softmax(-1), model.mixture_logits.log_softmax(-1)
    elbo = -weights.kl_weight * (log_q.exp() * (log_q - log_p)).sum(-1)
    for k in range(K):
        loc, scale = guide.z_head(features, torch.eye(K, dtype=x.dtype)[k])
        recon = log_p_x(gmvae, x, loc + scale * noise[k])
        kl = normal_kl(loc, scale, model.component_loc[k], model.component_scale[k])
        elbo = elbo + log_q[:, k].exp() * (recon - weights.z_kl_weight * kl)
    return -elbo.sum()


def marginal_by_hand(gmvae: GMVAE, x: Tensor, noise: Tensor) -> Tensor:
    """Minus log p(x|z) + w log sum_y p(y) p(z|y)^(b/w) - b log q(z|x)."""
    model, w, b = gmvae.model, gmvae.weights.kl_weight, gmvae.weights.z_kl_weight
    loc, scale = gmvae.guide.z_head(gmvae.guide.encoder(x))
    z = loc + scale * noise
    log_p_z_y = torch.stack(
        [
            Normal(model.component_loc[k], model.component_scale[k]).log_prob(z).sum(-1)
            for k in range(K)
        ],
        -1,
    )
    log_p_y = model.mixture_logits.log_softmax(-1)
    log_p_z = w * (log_p_y + b / w * log_p_z_y).logsumexp(-1)
    log_q_z = Normal(loc, scale).log_prob(z).sum(-1)
    return -(log_p_x(gmvae, x, z) + log_p_z - b * log_q_z).sum()


BY_HAND = {"exact": exact_by_hand, "marginal": marginal_by_hand}


@pytest.mark.parametrize("method", BY_HAND)
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 1.0), (0.3, 0.7)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)], ids=str
)
def test_equals_the_sum_by_hand(
    method: str,
    weights: tuple[float, float],
    dtype: torch.dtype,
    tolerance: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gmvae = small_gmvae(method, learn_mixture=True).to(dtype)
    gmvae.weights.set(kl_weight=weights[0], z_kl_weight=weights[1])
    x = binary_data().to(dtype)
    noise = torch.randn(*((K,) if method == "exact" else ()), B, Z).to(dtype)
    fix_noise(monkeypatch, noise)
    ours = ELBO(gmvae.model, gmvae.guide)(x)
    by_hand = BY_HAND[method](gmvae, x, noise)
    torch.testing.assert_close(ours, by_hand, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(
        flat_gradients(ours, gmvae), flat_gradients(by_hand, gmvae), rtol=tolerance, atol=tolerance
    )


def test_sparse_with_one_cluster_left_equals_the_sum_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gmvae = small_gmvae("sparse", n_likeliest=K - 1, drawn_share=1.0, learn_mixture=True).double()
    gmvae.weights.set(kl_weight=0.3)
    x, noise = binary_data().double(), torch.randn(B, Z)  # one noise for all clusters: any order
    fix_noise(monkeypatch, noise)
    ours = ELBO(gmvae.model, gmvae.guide)(x)
    by_hand = exact_by_hand(gmvae, x, noise.double().expand(K, B, Z))
    torch.testing.assert_close(ours, by_hand)
    torch.testing.assert_close(flat_gradients(ours, gmvae), flat_gradients(by_hand, gmvae))


@pytest.mark.parametrize("m", [K, K + 1])
def test_sparse_with_no_cluster_left_is_exact(m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gmvae = small_gmvae("sparse", n_likeliest=m).double()
    x, noise = binary_data().double(), torch.randn(K, B, Z).double()
    fix_noise(monkeypatch, noise)
    torch.testing.assert_close(ELBO(gmvae.model, gmvae.guide)(x), exact_by_hand(gmvae, x, noise))


def test_marginal_equals_pyro_draw_by_draw() -> None:
    gmvae = small_gmvae("marginal", learn_mixture=True).double()
    x = binary_data().double()
    results = []
    for elbo in (ELBO, TraceEnum_ELBO(max_plate_nesting=1)):
        torch.manual_seed(3)
        loss = elbo.differentiable_loss(gmvae.model, gmvae.guide, x)
        results.append((loss, flat_gradients(loss, gmvae)))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize(
    ("method", "shared"),
    [*((m, False) for m in METHODS), *((m, True) for m in METHODS if m != "marginal")],
)
@pytest.mark.parametrize("learn_mixture", [False, True])
@pytest.mark.parametrize("local", [False, True])
def test_every_parameter_is_in_the_elbo_and_gets_a_gradient(
    method: str, shared: bool, learn_mixture: bool, local: bool
) -> None:
    gmvae = small_gmvae(method, shared_trunk=shared, learn_mixture=learn_mixture)
    with pyro.settings.context(module_local_params=local):
        elbo = ELBO(gmvae.model, gmvae.guide)
        elbo(binary_data(16)).backward()
    assert {id(p) for p in elbo.parameters()} == {id(p) for p in gmvae.parameters()}
    left_out = [n for n, p in gmvae.named_parameters() if p.grad is None or not p.grad.any()]
    assert not left_out


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("particles", [(1, False), (3, False), (3, True)])
def test_sites_add_up_to_the_loss(method: str, particles: tuple[int, bool]) -> None:
    gmvae = small_gmvae(method)
    gmvae.weights.set(kl_weight=0.3, z_kl_weight=0.7)
    elbo = TraceEnumMeanField_ELBO(
        num_particles=particles[0], vectorize_particles=particles[1], max_plate_nesting=1
    )
    terms = elbo.terms(gmvae.model, gmvae.guide, binary_data())
    assert set(terms.sites) == {"y", "z", "x"}
    assert not any(site.requires_grad for site in terms.sites.values())
    scales = {"y": 0.3, "z": 0.7, "x": 1.0}
    total = sum(scales[name] * value for name, value in terms.sites.items())
    torch.testing.assert_close(terms.loss, -total)


@pytest.mark.parametrize("method", METHODS)
def test_labelled_data_add_their_sites(method: str) -> None:
    gmvae = small_gmvae(method)
    labels = torch.tensor([0, -1, 2, 1])
    terms = ELBO.terms(gmvae.model, gmvae.guide, binary_data(), labels)
    classifier = {"classifier"} if method != "marginal" else set()
    assert set(terms.sites) == {"y", "z", "x", "label"} | classifier
    torch.testing.assert_close(terms.loss, -sum(terms.sites.values()))


@pytest.mark.parametrize("method", METHODS)
def test_numbers_are_those_of_the_tensor(method: str) -> None:
    gmvae, x = small_gmvae(method), binary_data()
    torch.manual_seed(1)
    loss = ELBO.differentiable_loss(gmvae.model, gmvae.guide, x)
    gradient = flat_gradients(loss, gmvae)
    torch.manual_seed(1)
    assert ELBO.loss(gmvae.model, gmvae.guide, x) == pytest.approx(loss.item())
    torch.manual_seed(1)
    assert ELBO.loss_and_grads(gmvae.model, gmvae.guide, x) == pytest.approx(loss.item())
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in gmvae.parameters()]
    torch.testing.assert_close(torch.cat([g.flatten() for g in grads]), gradient)


@pytest.mark.parametrize("method", METHODS)
def test_plate_nesting_is_guessed(method: str) -> None:
    gmvae, x = small_gmvae(method), binary_data()
    guessing = TraceEnumMeanField_ELBO()
    guessing.loss(gmvae.model, gmvae.guide, x)
    assert guessing.max_plate_nesting == 1
    torch.manual_seed(1)
    guessed = guessing.loss(gmvae.model, gmvae.guide, x)
    torch.manual_seed(1)
    assert guessed == ELBO.loss(gmvae.model, gmvae.guide, x)


def test_a_scaled_model_scales_every_site() -> None:
    gmvae, x = small_gmvae("exact"), binary_data()
    losses = []
    for scale in (1.0, 2.5):
        torch.manual_seed(1)
        pair = [pyro.poutine.scale(f, scale=scale) for f in (gmvae.model, gmvae.guide)]
        losses.append(ELBO.loss(*pair, x))
    assert losses[1] == pytest.approx(2.5 * losses[0])


def test_masked_data_count_for_nothing() -> None:
    gmvae, x = small_gmvae("exact"), binary_data()
    mask = torch.tensor([True, False, True, True])
    pair = [pyro.poutine.mask(f, mask=mask) for f in (gmvae.model, gmvae.guide)]
    other = torch.where(mask.unsqueeze(-1), x, 1 - x)
    losses = []
    for data in (x, other):
        torch.manual_seed(1)
        losses.append(ELBO.loss(*pair, data))
    torch.manual_seed(1)
    assert losses[0] == losses[1] < ELBO.loss(gmvae.model, gmvae.guide, x)


def two_enumerated(x: Tensor) -> None:
    for name in ("a", "b"):
        pyro.sample(name, dist.Bernoulli(0.5), infer={"enumerate": "parallel"})


@pytest.mark.parametrize("in_guide", [True, False])
def test_two_enumerated_sites_are_refused(in_guide: bool) -> None:
    def nothing(x: Tensor) -> None: ...

    guide: Any = two_enumerated if in_guide else nothing
    with (
        pyro.validation_enabled(False),
        pytest.raises(ValueError, match=r"at most one site may be enumerated, got \['a', 'b'\]"),
    ):
        TraceEnumMeanField_ELBO(max_plate_nesting=0).loss(two_enumerated, guide, torch.zeros(D))


def test_validation_compares_model_and_guide() -> None:
    def guide(x: Tensor) -> None:
        pyro.sample("a", dist.Normal(0, 1))
        pyro.sample("other", dist.Normal(0, 1))

    def model(x: Tensor) -> None:
        pyro.sample("a", dist.Normal(0, 1))

    with pytest.warns(UserWarning, match="other"):
        TraceEnumMeanField_ELBO(max_plate_nesting=0).loss(model, guide, torch.zeros(D))
