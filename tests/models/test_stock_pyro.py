"""Pyro's own tools on the pairs of model and guide, unmodified."""

from __future__ import annotations

import warnings
from typing import Any

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO
from pyro.infer.elbo import ELBO
from pyro.optim import ClippedAdam

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import METHODS
from tests.helpers.small import B, D, K, Z, binary_data, small_gmvae
from tests.helpers.tables import WORDS, drawn_rows, random_mixture, table_gmvae, with_gaps


@pytest.mark.filterwarnings("ignore:.*TraceEnum_ELBO.*", "ignore:Found vars in model")
@pytest.mark.parametrize(
    ("method", "options", "elbo"),
    [
        ("exact", {}, TraceEnum_ELBO),
        ("exact", {}, Trace_ELBO),
        ("concrete", {}, TraceEnum_ELBO),
        ("concrete", {}, Trace_ELBO),
        ("concrete", {}, TraceMeanField_ELBO),
        ("concrete", {"kl": "relaxed"}, Trace_ELBO),
        ("sparse", {}, TraceEnum_ELBO),
        ("sparse", {}, Trace_ELBO),
        ("marginal", {}, TraceEnum_ELBO),
        *((method, {}, TraceEnumMeanField_ELBO) for method in METHODS),
    ],
)
def test_svi(method: str, options: dict[str, Any], elbo: type[ELBO]) -> None:
    gmvae = small_gmvae(method, learn_mixture=True, **options)
    x = binary_data(2, D).repeat(32, 1)  # two patterns: there is something to learn
    start = {name: p.detach().clone() for name, p in gmvae.named_parameters()}
    svi = SVI(gmvae.model, gmvae.guide, ClippedAdam({"lr": 0.02}), elbo(max_plate_nesting=1))
    losses = [svi.step(x) for _ in range(40)]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    unmoved = [name for name, p in gmvae.named_parameters() if torch.equal(p, start[name])]
    assert not unmoved


@pytest.mark.parametrize("method", METHODS)
def test_predictive(method: str) -> None:
    gmvae = small_gmvae(method)
    prior = Predictive(gmvae.model, num_samples=5)()
    assert prior["x"].shape == (5, 1, D)
    assert prior["y"].shape == (5, 1, K)
    x = binary_data()
    posterior = Predictive(gmvae.model, guide=gmvae.guide, num_samples=5)(x)
    assert posterior["z"].shape == (5, B, Z)
    many = Predictive(gmvae.guide, num_samples=5000, parallel=True)(x)["z"].view(5000, B, Z)
    error = (many.mean(0) - gmvae.posterior(x).mean).abs()
    # The Concrete method's y is relaxed: only its discrete kin have the posterior's mean.
    if method != "concrete":
        assert (error < 4.5 * many.std(0) / 5000**0.5).all()


@pytest.mark.parametrize("method", METHODS)
def test_condition(method: str) -> None:
    model = small_gmvae(method).model
    one, z = torch.eye(K)[[1]], torch.randn(1, Z)
    trace = poutine.trace(poutine.condition(model, {"y": one, "z": z})).get_trace()
    assert trace.nodes["y"]["is_observed"]
    assert torch.equal(trace.nodes["z"]["value"], z)
    torch.testing.assert_close(trace.nodes["z"]["fn"].log_prob(z), model.log_p_z_given_y(z)[:, 1])
    draws = Predictive(poutine.condition(model, {"y": one}), num_samples=100)()["z"]
    error = (draws.squeeze(1).mean(0) - model.component_loc[1]).abs()
    assert (error < 4.5 * model.component_scale[1] / 100**0.5).all()


@pytest.mark.parametrize("method", METHODS)
def test_render_model(method: str) -> None:
    gmvae = small_gmvae(method)
    graph = pyro.render_model(gmvae.model, model_args=(binary_data(),), render_params=True)
    source = graph.source
    for edge in ("y -> z", "z -> x"):
        assert edge in source
    assert "x [label=x fillcolor=gray" in source
    assert "cluster_data" in source
    inference = pyro.render_model(gmvae.guide, model_args=(binary_data(),)).source
    assert ("y -> z" in inference) == (method != "marginal")


def rows_with_gaps(structure: TableStructure, n: int = B) -> torch.Tensor:
    return with_gaps(drawn_rows(random_mixture(structure, K), n)[0])


@pytest.mark.filterwarnings("ignore:.*TraceEnum_ELBO.*", "ignore:Found vars in model")
@pytest.mark.parametrize(
    ("method", "linear"), [*((method, True) for method in METHODS), ("exact", False)]
)
def test_tables_with_gaps(method: str, linear: bool) -> None:
    structure = TableStructure(WORDS, linear=linear)
    gmvae = table_gmvae(structure, K, method)
    x = rows_with_gaps(structure)
    for elbo in (TraceEnum_ELBO, TraceEnumMeanField_ELBO):
        svi = SVI(gmvae.model, gmvae.guide, ClippedAdam({"lr": 0.02}), elbo(max_plate_nesting=1))
        losses = [svi.step(x) for _ in range(25)]
        assert sum(losses[-5:]) < sum(losses[:5])
    assert Predictive(gmvae.model, num_samples=5)()["x"].shape == (5, 1, len(WORDS))
    drawn = Predictive(gmvae.model, guide=gmvae.guide, num_samples=5)(x)
    assert drawn["z"].shape == (5, B, Z)
    assert all(p.isfinite().all() for p in gmvae.parameters())


@pytest.mark.parametrize("elbo", [TraceEnum_ELBO, TraceEnumMeanField_ELBO])
def test_the_bound_of_a_table_is_that_of_its_seen_columns(elbo: type[ELBO]) -> None:
    """The bound is summed over clusters by hand, with the columns that are seen."""
    structure = TableStructure(WORDS)
    gmvae = table_gmvae(structure, K)
    x = rows_with_gaps(structure)
    # One cluster at a time: the sum over y of q(y|x) times each cluster's bound.
    pyro.set_rng_seed(1)
    loss = elbo(max_plate_nesting=1, num_particles=400, vectorize_particles=True).loss(
        gmvae.model, gmvae.guide, x
    )
    q_y = gmvae.responsibilities(x)
    features, _ = gmvae.guide.encode(x)
    total = torch.zeros(())
    for k in range(K):
        y = torch.eye(K)[[k]]
        q_z = gmvae.guide.q_z(features, y)
        z = q_z.sample((400,))
        bound = gmvae.model.p_x(z).log_prob(x) + gmvae.model.p_z(y).log_prob(z) - q_z.log_prob(z)
        log_odds = gmvae.model.log_p_y()[k] - q_y[:, k].log()
        total = total + (q_y[:, k] * (bound.mean(0) + log_odds)).sum()
    assert -loss == pytest.approx(total.item(), rel=0.05)


def test_enumeration_takes_no_warning() -> None:
    gmvae = small_gmvae("exact")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TraceEnum_ELBO(max_plate_nesting=1).loss(gmvae.model, gmvae.guide, binary_data())
