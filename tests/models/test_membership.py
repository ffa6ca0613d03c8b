"""p(y|w): the objective of all four methods against sums by hand, and Pyro's own tools."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO
from pyro.infer.elbo import ELBO as PyroELBO
from pyro.optim import ClippedAdam
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from pyro_gmvae.evaluation import log_likelihood, responsibilities, sample
from pyro_gmvae.inference import CapturedELBO, TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import GMVAE, METHODS, from_config, keep_components, to_config
from pyro_gmvae.models.components import reorder_components
from tests.helpers.same_elbo import assert_same
from tests.helpers.small import B, D, K, Z, binary_data, fix_noise, flat_gradients, small_gmvae
from tests.helpers.tables import WORDS, drawn_rows, random_mixture, table_gmvae

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)
P = 2


def with_membership(method: str, **options: Any) -> GMVAE:
    """A small pair whose clusters depend on two covariates."""
    gmvae = small_gmvae(method, learn_mixture=True, n_covariates=P, **options)
    membership = gmvae.model.membership
    with torch.no_grad():
        membership.constant.normal_()
        membership.slope.normal_()
    return gmvae


def with_shares_of(gmvae: GMVAE, w: Tensor) -> GMVAE:
    """A model without covariates that says of all data what `gmvae` says of those with this w."""
    plain = from_config({n: v for n, v in to_config(gmvae).items() if n != "n_covariates"})
    state = gmvae.state_dict()
    tilt = state.pop("model.membership.constant") + state.pop("model.membership.slope") @ w
    plain.double().load_state_dict(state)
    with torch.no_grad():
        plain.model.mixture_logits.add_(tilt)
        if gmvae.method != "marginal":
            plain.guide.y_head.bias.add_(tilt)
    return plain


def log_p_y(gmvae: GMVAE, w: Tensor) -> Tensor:
    """log p(y|w) row by row, by the definition."""
    model = gmvae.model
    rows = [
        model.mixture_logits + model.membership.constant + model.membership.slope @ r for r in w
    ]
    joint = torch.stack(rows)
    return joint - joint.exp().sum(-1, keepdim=True).log()


def log_p_x(gmvae: GMVAE, x: Tensor, z: Tensor) -> Tensor:
    logits = gmvae.model.decoder(z)
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def exact_by_hand(gmvae: GMVAE, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
    """Minus the sum over y of q(y|x,w) (log p(x|z) p(z|y) p(y|w) / q(z|x,y) q(y|x,w))."""
    model, guide, weights = gmvae.model, gmvae.guide, gmvae.weights
    features = guide.encoder(x)
    own = guide.y_head(features if guide.cluster_encoder is None else guide.cluster_encoder(x))
    joint = own.exp() * log_p_y(gmvae, w).exp() / model.mixture_logits.softmax(-1)
    q = joint / joint.sum(-1, keepdim=True)  # q(y|x) p(y|w) / p(y), normalised
    total = -weights.kl_weight * (q * (q.log() - log_p_y(gmvae, w))).sum(-1)
    for k in range(K):
        loc, scale = guide.z_head(features, torch.eye(K, dtype=x.dtype)[k])
        z = loc + scale * noise[k]
        prior = Normal(model.component_loc[k], model.component_scale[k])
        kl = torch.distributions.kl_divergence(Normal(loc, scale), prior).sum(-1)
        total = total + q[:, k] * (log_p_x(gmvae, x, z) - weights.z_kl_weight * kl)
    return -total.sum()


def marginal_by_hand(gmvae: GMVAE, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
    model, a, b = gmvae.model, gmvae.weights.kl_weight, gmvae.weights.z_kl_weight
    loc, scale = gmvae.guide.z_head(gmvae.guide.encoder(x))
    z = loc + scale * noise
    prior = model.log_p_z_given_y(z)
    log_p_z = a * (log_p_y(gmvae, w) + b / a * prior).logsumexp(-1)
    log_q_z = Normal(loc, scale).log_prob(z).sum(-1)
    return -(log_p_x(gmvae, x, z) + log_p_z - b * log_q_z).sum()


@pytest.mark.parametrize("method", ["exact", "sparse", "marginal"])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 0.7)])
def test_the_bound_is_the_sum_by_hand(
    method: str, weights: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sparse sum with one cluster left to draw is complete."""
    options = {"n_likeliest": K - 1, "drawn_share": 1.0} if method == "sparse" else {}
    gmvae = with_membership(method, **options).double()
    gmvae.weights.set(kl_weight=weights[0], z_kl_weight=weights[1])
    x, w, noise = binary_data().double(), torch.randn(B, P).double(), torch.randn(B, Z).double()
    fix_noise(monkeypatch, noise)
    ours = ELBO.differentiable_loss(gmvae.model, gmvae.guide, x, None, w)
    if method == "marginal":
        by_hand = marginal_by_hand(gmvae, x, w, noise)
    else:
        by_hand = exact_by_hand(gmvae, x, w, noise.expand(K, B, Z))
    torch.testing.assert_close(ours, by_hand)
    torch.testing.assert_close(flat_gradients(ours, gmvae), flat_gradients(by_hand, gmvae))


@pytest.mark.filterwarnings("ignore:.*TraceEnum_ELBO.*")
@pytest.mark.parametrize("elbo", [ELBO, TraceEnum_ELBO(max_plate_nesting=1)])
@pytest.mark.parametrize(
    ("method", "options"), [*((m, {}) for m in METHODS), ("concrete", {"kl": "relaxed"})]
)
def test_rows_of_one_w_have_the_bound_of_a_model_with_other_shares(
    method: str, options: dict[str, Any], elbo: PyroELBO
) -> None:
    """Where all rows have the same w, a model without covariates can say the same, draw by draw."""
    gmvae = with_membership(method, **options).double()
    w = torch.randn(P).double()
    plain = with_shares_of(gmvae, w)
    x, losses = binary_data().double(), []
    for pair, args in ((gmvae, (x, None, w.expand(B, P))), (plain, (x,))):
        torch.manual_seed(3)
        losses.append(elbo.differentiable_loss(pair.model, pair.guide, *args))
    torch.testing.assert_close(*losses)


def test_the_marginal_bound_is_pyros_draw_by_draw() -> None:
    gmvae = with_membership("marginal").double()
    x, w, results = binary_data().double(), torch.randn(B, P).double(), []
    for elbo in (ELBO, TraceEnum_ELBO(max_plate_nesting=1)):
        torch.manual_seed(3)
        loss = elbo.differentiable_loss(gmvae.model, gmvae.guide, x, None, w)
        results.append((loss, flat_gradients(loss, gmvae)))
    torch.testing.assert_close(*results)


@pytest.mark.filterwarnings("ignore:.*TraceEnum_ELBO.*", "ignore:Found vars in model")
@pytest.mark.parametrize(
    ("method", "elbo"),
    [
        ("exact", TraceEnum_ELBO),
        ("concrete", TraceMeanField_ELBO),
        ("sparse", Trace_ELBO),
        ("marginal", TraceEnum_ELBO),
        *((method, TraceEnumMeanField_ELBO) for method in METHODS),
    ],
)
def test_pyro_trains_all_parameters(method: str, elbo: type[PyroELBO]) -> None:
    gmvae = with_membership(method)
    x, w = binary_data(2, D).repeat(16, 1), torch.randn(32, P)
    start = {name: p.detach().clone() for name, p in gmvae.named_parameters()}
    svi = SVI(gmvae.model, gmvae.guide, ClippedAdam({"lr": 0.02}), elbo(max_plate_nesting=1))
    losses = [svi.step(x, None, w) for _ in range(30)]
    assert sum(losses[-10:]) < sum(losses[:10])
    assert not [name for name, p in gmvae.named_parameters() if torch.equal(p, start[name])]


@pytest.mark.parametrize("method", METHODS)
def test_a_captured_bound_is_the_same(method: str) -> None:
    gmvae = with_membership(method)
    captured = CapturedELBO(ELBO, gmvae.model, gmvae.guide, backend=lambda graph, given: graph)
    assert_same(captured, gmvae, ELBO, binary_data(), None, torch.randn(B, P))


@pytest.mark.parametrize("method", METHODS)
def test_clusters_are_drawn_by_w(method: str) -> None:
    """10,000 draws of y for each of two w, within 5 standard errors of p(y|w)."""
    gmvae, n = with_membership(method), 10_000
    w = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
    truth = log_p_y(gmvae, w).exp().detach()
    for row in range(2):
        _, drawn = sample(gmvae, n, covariates=(w[row].expand(n, P),))
        share = one_hot(drawn, K).double().mean(0)
        error = (truth[row] * (1 - truth[row]) / n).sqrt()
        assert ((share - truth[row]).abs() < 5 * error + 1e-9).all()
    if method != "concrete":
        made = Predictive(gmvae.model, num_samples=1)(None, None, w[:1])
        assert made["x"].shape == (1, 1, D)


@pytest.mark.parametrize("method", METHODS)
def test_log_p_is_that_of_a_model_with_the_shares_of_w(method: str) -> None:
    gmvae = with_membership(method).double()
    x, w = binary_data().double(), torch.randn(P).double()
    options = {"num_samples": 30, "diagnostics": False}
    found = log_likelihood(gmvae, x, covariates=(w.expand(B, P),), **options)
    plain = log_likelihood(with_shares_of(gmvae, w), x, **options)
    torch.testing.assert_close(found.log_p, plain.log_p)
    z = torch.randn(5, B, Z).double()
    rows = torch.randn(B, P).double()
    prior = Normal(gmvae.model.component_loc, gmvae.model.component_scale)
    joint = log_p_y(gmvae, rows) + prior.log_prob(z.unsqueeze(-2)).sum(-1)
    torch.testing.assert_close(gmvae.model.log_p_z(z, rows), joint.exp().sum(-1).log())


@pytest.mark.parametrize("method", METHODS)
def test_the_model_comes_back_from_its_configuration(method: str) -> None:
    gmvae = with_membership(method)
    again = from_config(to_config(gmvae))
    again.load_state_dict(gmvae.state_dict())
    x, w = binary_data(), torch.randn(B, P)
    same = (responsibilities(m, x, covariates=(w,)) for m in (gmvae, again))
    torch.testing.assert_close(*same)
    assert "n_covariates" not in to_config(small_gmvae(method))


def test_clusters_keep_their_logit_when_they_are_renumbered() -> None:
    gmvae, x, w = with_membership("exact"), binary_data(), torch.randn(B, P)
    before = responsibilities(gmvae, x, covariates=(w,))
    order = torch.tensor([2, 0, 1])
    kept = keep_components(gmvae, order[:2])
    reorder_components(gmvae, order)
    torch.testing.assert_close(responsibilities(gmvae, x, covariates=(w,)), before[:, order])
    few = before[:, order[:2]]
    expected = few / few.sum(-1, keepdim=True)
    torch.testing.assert_close(responsibilities(kept, x, covariates=(w,)), expected)


def test_a_tables_marginal_guide_sees_w() -> None:
    """z of the marginal method lies where the tilted clusters are."""
    structure = TableStructure(WORDS)
    gmvae = table_gmvae(structure, K, "marginal", n_covariates=P)
    x, _ = drawn_rows(random_mixture(structure, K), 8)
    with torch.no_grad():
        gmvae.model.membership.slope[1] = 100.0
    r = responsibilities(gmvae, x, covariates=(torch.ones(8, P),))
    assert (r[:, 1] > 0.99).all()


def test_held_clusters_hold_their_logit() -> None:
    structure = TableStructure(WORDS)
    gmvae = table_gmvae(structure, K, "exact", n_covariates=P)
    gmvae.hold_clusters()
    assert not any(p.requires_grad for p in gmvae.model.membership.parameters())
