"""What the ELBOs have in common in expectation, in value and gradient.

Means of many draws are compared by z-scores, whose root mean square is about 1 where the truth is
the same. The last test shows that they notice a biased gradient.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from pyro.infer.elbo import ELBO
from torch import Tensor

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE, METHODS
from tests.helpers.small import binary_data, flat_gradients, rms, small_gmvae, z_scores

REPEATS, PARTICLES = 40, 60
MAX_Z, MAX_RMS = 5.0, 1.6


def draws(gmvae: GMVAE, x: Tensor, elbo: type[ELBO], **options: Any) -> Tensor:
    """Loss and gradient (one row each of ``REPEATS``), every one the mean of some particles."""
    options = {"num_particles": PARTICLES, "vectorize_particles": True} | options
    objective = elbo(max_plate_nesting=1, **options)
    rows = []
    for _ in range(REPEATS):
        loss = objective.differentiable_loss(gmvae.model, gmvae.guide, x)
        rows.append(torch.cat([loss.detach().view(1), flat_gradients(loss, gmvae)]))
    return torch.stack(rows)


def pair(method: str, **options: Any) -> tuple[GMVAE, Tensor]:
    return small_gmvae(method, hidden=(4,), learn_mixture=True, **options).double(), binary_data(
        3
    ).double()


def agree(a: Tensor, b: Tensor) -> None:
    z = z_scores(a, b)
    assert z.numel() > 50
    assert z.abs().max() < MAX_Z
    assert rms(z) < MAX_RMS


@pytest.mark.parametrize("kl_weight", [1.0, 0.3])
def test_exact_agrees_with_pyro(kl_weight: float) -> None:
    gmvae, x = pair("exact")
    gmvae.weights.set(kl_weight=kl_weight)
    agree(draws(gmvae, x, TraceEnumMeanField_ELBO), draws(gmvae, x, TraceEnum_ELBO))


@pytest.mark.parametrize("elbo", [Trace_ELBO, TraceEnum_ELBO])
@pytest.mark.filterwarnings("ignore:.*TraceEnum_ELBO found no sample sites")
def test_sparse_agrees_with_pyro(elbo: type[ELBO]) -> None:
    gmvae, x = pair("sparse")
    agree(draws(gmvae, x, TraceEnumMeanField_ELBO), draws(gmvae, x, elbo))


def test_relaxed_concrete_agrees_with_pyro() -> None:
    gmvae, x = pair("concrete", kl="relaxed", temperature=1.0)
    agree(draws(gmvae, x, TraceEnumMeanField_ELBO), draws(gmvae, x, Trace_ELBO))


@pytest.mark.parametrize("n_likeliest", [1, 2])
def test_sparse_agrees_with_exact(n_likeliest: int) -> None:
    exact, x = pair("exact", n_components=5)
    sparse, _ = pair("sparse", n_components=5, n_likeliest=n_likeliest)
    sparse.load_state_dict(exact.state_dict())
    agree(draws(sparse, x, TraceEnumMeanField_ELBO), draws(exact, x, TraceEnumMeanField_ELBO))


@pytest.mark.parametrize("method", METHODS)
def test_particles_one_by_one_or_together(method: str) -> None:
    gmvae, x = pair(method)
    few = {"num_particles": 2}
    together = draws(gmvae, x, TraceEnumMeanField_ELBO, **few)
    apart = draws(gmvae, x, TraceEnumMeanField_ELBO, **few, vectorize_particles=False)
    agree(together, apart)


def test_marginal_with_one_cluster_is_exact_with_one_cluster() -> None:
    exact, x = pair("exact", n_components=1)
    marginal, _ = pair("marginal", n_components=1)
    marginal.model.load_state_dict(exact.model.state_dict())
    head, theirs = marginal.guide.z_head, exact.guide.z_head
    for name in ("output", "layers", "from_features"):
        getattr(head, name).load_state_dict(getattr(theirs, name).state_dict())
    with torch.no_grad():  # the one cluster's weights act as a bias
        head.from_features.bias.add_(theirs.from_cluster.weight.squeeze(-1))
    losses = [draws(g, x, TraceEnumMeanField_ELBO)[:, :1] for g in (marginal, exact)]
    assert z_scores(*losses).abs().max() < MAX_Z


def test_marginal_bounds_tighter_than_exact_with_the_same_q() -> None:
    # With q(z|x,y) the same for every y, sum_y q(y|x) can only lose against the posterior p(y|z).
    exact, x = pair("exact")
    marginal, _ = pair("marginal")
    marginal.model.load_state_dict(exact.model.state_dict())
    for name in ("output", "layers", "from_features"):
        source = getattr(exact.guide.z_head, name).state_dict()
        getattr(marginal.guide.z_head, name).load_state_dict(source)
    torch.nn.init.zeros_(exact.guide.z_head.from_cluster.weight)
    losses = [draws(g, x, TraceEnumMeanField_ELBO)[:, 0] for g in (marginal, exact)]
    error = sum(loss.var() / REPEATS for loss in losses) ** 0.5
    assert losses[0].mean() < losses[1].mean() - 5 * error


def test_concrete_tends_to_exact_as_it_cools() -> None:
    exact, x = pair("exact")
    concrete, _ = pair("concrete")
    concrete.load_state_dict(exact.state_dict())
    many = {"num_particles": 1000}
    with torch.no_grad():
        elbos = TraceEnumMeanField_ELBO(max_plate_nesting=1, vectorize_particles=True, **many)

        def losses(gmvae: GMVAE) -> Tensor:
            return torch.stack([elbos(gmvae.model, gmvae.guide)(x) for _ in range(20)])

        truth, gaps, errors = losses(exact), [], []
        for temperature in (3.0, 1.0, 0.3, 0.01):
            concrete.weights.set(temperature=temperature)
            cooled = losses(concrete)
            gaps.append((cooled.mean() - truth.mean()).abs().item())
            errors.append(((cooled.var() + truth.var()) / 20).sqrt().item())
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[0] > 20 * errors[0]
    assert gaps[3] < 4 * errors[3]


def test_the_comparison_notices_bias() -> None:
    exact, x = pair("exact")
    concrete, _ = pair("concrete")
    concrete.load_state_dict(exact.state_dict())
    z = z_scores(
        draws(concrete, x, TraceEnumMeanField_ELBO), draws(exact, x, TraceEnumMeanField_ELBO)
    )
    assert rms(z) > 2 * MAX_RMS
