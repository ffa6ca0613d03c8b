"""A GMVAE of a table begins exactly at a mixture, and what training does from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from pyro_gmvae.data import Dataset, Splits, TableEncoding
from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import LogLikelihood, log_likelihood, responsibilities
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.begin import begin
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts import latent
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows
from pyro_gmvae.fitting.starts.exact import begin_at_mixture
from pyro_gmvae.fitting.starts.mixture_fit import table_features
from pyro_gmvae.fitting.train import attempt_checkpoint, train
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import GMVAE, METHODS, keep_components, reorder_components
from pyro_gmvae.runs import load, save_run
from tests.helpers.tables import (
    ONE_FAMILY,
    WORDS,
    drawn_rows,
    log_joint,
    random_mixture,
    table_gmvae,
    with_gaps,
)
from tests.helpers.tiny import same_weights, weights_of

LEVELS = ("a", "b", "c")
SCHEMA = Schema(
    (
        Column("height"),
        Column("visits", "count"),
        Column("tier", "category", "text", levels=LEVELS, weight=0.8),
        Column("member", "binary", levels=(0.0, 1.0)),
    )
)
CLUSTER = ("cluster_encoder.", "y_head.")  # weights of q(y|x)
SMALL = {"clusters": 3, "hidden": (8,), "device": "cpu", "epochs": 2, "batch_size": 64}


def customers(n: int = 240, share: float = 0.1, seed: int = 0) -> tuple[Splits, Tensor]:
    """Rows in raw units, of three clusters, a tenth of the cells missing; 40 are held out."""
    structure = TableStructure(("real", "count", "levels:3", "levels:2"))
    x, y = drawn_rows(random_mixture(structure, 3, seed=3, apart=4.0), n, seed=seed)
    x = with_gaps(x, share).double()
    x[:, 0] = 170 + 10 * x[:, 0]
    data = Dataset("customers", x, None, TableEncoding, schema=SCHEMA)
    index, held_out = torch.arange(n), n // 6
    parts = Splits(
        data.subset(index[held_out:]), data.subset(index[:held_out]), data.subset(index[:0])
    )
    return parts, y[held_out:]


def planned(splits: Splits | None = None, **settings: Any) -> Plan:
    splits = customers()[0] if splits is None else splits
    return plan(Settings.of("customers", **(SMALL | settings)), splits)


def begun(
    words: tuple[str, ...], share: float, method: str = "exact", k: int = 3, **structure: Any
) -> tuple[GMVAE, ColumnMixture, Tensor]:
    """A pair at a mixture, and rows."""
    made = TableStructure(words, **structure)
    mixture = random_mixture(made, k)
    x = with_gaps(drawn_rows(mixture, 40)[0], share)
    gmvae = table_gmvae(made, k, method)
    begin_at_mixture(gmvae, mixture, table_features(made, x))
    return gmvae.eval(), mixture, x


def check_densities(estimate: LogLikelihood, wanted: Tensor, most: float = 0.01) -> None:
    """Within so many nats, and 4.5 standard errors of the importance weights."""
    n = estimate.num_samples
    error = ((n / estimate.ess - 1).clamp(min=0) / n).sqrt()
    assert ((estimate.log_p - wanted).abs() < most + 4.5 * error).all()


@torch.no_grad()
def without_style(gmvae: GMVAE) -> GMVAE:
    """With q(z|x,y) = p(z|y) every importance weight is p(x), as long as z is near its cluster.

    A draw so far out that another cluster reaches it may weigh nothing: one in some thousands.
    """
    head = gmvae.guide.z_head.output
    head.weight.zero_()
    return gmvae


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY])
@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("linear", [True, False])
def test_the_first_model_is_the_mixture(words: tuple[str, ...], share: float, linear: bool) -> None:
    gmvae, mixture, x = begun(words, share, linear=linear)
    joint = log_joint(mixture, x)
    found = responsibilities(gmvae, x).double()
    torch.testing.assert_close(found, joint.softmax(-1), atol=1e-5, rtol=0)
    estimate = log_likelihood(gmvae, x, num_samples=300, diagnostics=False)
    check_densities(estimate, joint.logsumexp(-1))
    assert estimate.ess.median() > 30  # the style of q(z|x,y) is not far from that of p(z|y)
    estimate = log_likelihood(without_style(gmvae), x, num_samples=1_000, diagnostics=False)
    check_densities(estimate, joint.logsumexp(-1))
    assert (estimate.log_p - joint.logsumexp(-1)).abs().median() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_every_method_begins_at_the_mixture(method: str) -> None:
    gmvae, mixture, x = begun(WORDS, 0.1, method)
    joint = log_joint(mixture, x)
    sure = joint.softmax(-1).amax(-1) > 0.9999  # one normal q(z|x) covers one cluster
    assert sure.sum() > 10
    estimate = log_likelihood(without_style(gmvae), x, num_samples=1_000, diagnostics=False)
    error = (estimate.log_p - joint.logsumexp(-1))[sure].abs()
    assert error.max() < 0.02 and error.median() < 1e-3
    found = responsibilities(gmvae, x).double()
    torch.testing.assert_close(found[sure], joint.softmax(-1)[sure], atol=1e-3, rtol=0)


@pytest.mark.parametrize("n", [1, 200])
def test_any_number_of_clusters(n: int) -> None:
    gmvae, mixture, x = begun(WORDS, 0.2, k=n)
    joint = log_joint(mixture, x)
    found = responsibilities(gmvae, x).double()
    torch.testing.assert_close(found, joint.softmax(-1), atol=1e-4, rtol=0)
    estimate = log_likelihood(without_style(gmvae), x, num_samples=1_000, diagnostics=False)
    check_densities(estimate, joint.logsumexp(-1))
    assert (estimate.log_p - joint.logsumexp(-1)).abs().median() < 1e-3


def test_in_training_q_is_the_posterior_of_weighted_columns() -> None:
    weights = tuple(0.3 + 0.1 * i for i in range(len(WORDS)))
    gmvae, mixture, x = begun(WORDS, 0.2, weights=weights)
    rows = TableRows.of(x, mixture.structure)
    wanted = mixture.log_joint(rows).softmax(-1)
    torch.testing.assert_close(responsibilities(gmvae, x).double(), wanted, atol=1e-5, rtol=0)
    # Likelihoods are reported unweighted.
    estimate = log_likelihood(without_style(gmvae), x, num_samples=3_000, diagnostics=False)
    check_densities(estimate, log_joint(mixture, x).logsumexp(-1))


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_renumbered_and_kept_clusters_keep_their_densities(method: str, linear: bool) -> None:
    gmvae, _, x = begun(WORDS, 0.1, method, linear=linear)
    with torch.no_grad():
        for p in gmvae.model.decoder.parameters():
            p.add_(0.02 * torch.randn_like(p))  # a style that does something
    z = gmvae.model.p_z(torch.eye(3)).sample((5,))
    before = gmvae.model.p_x(z).log_prob(x[:3])
    r, order = gmvae.responsibilities(x), torch.tensor([2, 0, 1])
    reorder_components(gmvae, order)
    torch.testing.assert_close(gmvae.model.p_x(z).log_prob(x[:3]), before, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(gmvae.responsibilities(x), r[:, order], atol=1e-4, rtol=0)
    kept = keep_components(gmvae, torch.tensor([1, 2]))
    of_kept = kept.model.p_x(z[:, order[1:]]).log_prob(x[:2])
    wanted = gmvae.model.p_x(z[:, order[1:]]).log_prob(x[:2])
    torch.testing.assert_close(of_kept, wanted, atol=1e-2, rtol=1e-3)
    if method != "marginal":
        left = r[:, order][:, 1:]
        some = left.sum(-1) > 1e-3
        wanted = left[some] / left[some].sum(-1, keepdim=True)
        torch.testing.assert_close(kept.responsibilities(x)[some], wanted, atol=1e-4, rtol=1e-3)


def test_a_plan_knows_the_columns() -> None:
    made = planned()
    assert made.model["likelihood"] == "table" and made.start.name == "mixture"
    assert made.holds == (True,)  # of so few rows
    table = made.model["table"]
    assert table["columns"] == ["real", "count", "levels:3", "levels:2"]
    assert table["weights"] == [1.0, 1.0, 0.8, 1.0]
    with pytest.raises(InputError, match="table"):
        planned(likelihood="gaussian")


@pytest.mark.parametrize("method", METHODS)
def test_the_four_methods_train(method: str) -> None:
    splits, truth = customers()
    made = planned(splits, method=method, epochs=5, clusters_are="free")
    start = FittedModel(begin(made, made.config).eval(), made.encoding)
    fitted = train(made)
    judged = splits.train.x
    before, after = (f.log_likelihood(judged, num_samples=30).mean for f in (start, fitted))
    assert after > before - 0.05
    found = fitted.responsibilities(judged).argmax(-1)
    assert adjusted_rand_score(truth.numpy(), found.numpy()) > 0.9
    assert fitted.about.held is False


@pytest.mark.parametrize("method", ["exact", "concrete", "sparse"])
def test_held_clusters_do_not_move_while_the_bound_rises(method: str) -> None:
    made = planned(method=method, clusters_are="held", epochs=8)
    x = made.splits.train.x
    start = FittedModel(begin(made, made.config).eval(), made.encoding)
    fitted = train(made)
    assert fitted.about.held is True
    seen = torch.cat([x, made.splits.validation.x])
    sizes = start.responsibilities(seen).argmax(-1).bincount(minlength=3)
    reorder_components(start.gmvae, sizes.argsort(descending=True, stable=True))
    weights = (weights_of(f.gmvae.guide) for f in (start, fitted))
    ours, theirs = ({n: t for n, t in w.items() if n.startswith(CLUSTER)} for w in weights)
    assert len(ours) > 4 and same_weights(ours, theirs)  # bit for bit
    assert torch.equal(start.responsibilities(x), fitted.responsibilities(x))
    bounds = [f.log_likelihood(x, num_samples=50).elbo for f in (start, fitted)]
    assert bounds[1] > bounds[0]
    moved = {
        name
        for name, p in start.gmvae.named_parameters()
        if not torch.equal(p, dict(fitted.gmvae.named_parameters())[name])
    }
    assert any(name.startswith("guide.z_head") for name in moved)


@pytest.mark.parametrize("clusters_are", ["held", "free", "auto"])
def test_a_resumed_training_is_the_unbroken_one(tmp_path: Path, clusters_are: str) -> None:
    made = planned(clusters_are=clusters_are, epochs=1, learning_rate_schedule="constant")
    if clusters_are == "auto":
        made = replace(made, holds=(True, False))  # as of a larger table
    state = tmp_path / "checkpoint" / "state.safetensors"
    train(made, checkpoint=state)
    files = {attempt_checkpoint(state, attempt) for attempt in range(len(made.holds))}
    assert set(state.parent.iterdir()) == files
    longer = replace(made, config=replace(made.config, epochs=2))
    resumed, unbroken = train(longer, checkpoint=state, resume=True), train(longer)
    assert same_weights(weights_of(resumed.gmvae), weights_of(unbroken.gmvae))
    assert resumed.about.held == unbroken.about.held
    assert resumed.about.lower_bound == unbroken.about.lower_bound


def test_labels_and_links_hold_in_the_start() -> None:
    splits, truth = customers()
    truth = 2 - truth
    labels = torch.full_like(truth, -1)
    for k in range(3):
        labels[(truth == k).nonzero().flatten()[:2]] = k
    own = replace(splits, train=replace(splits.train, labels=labels))
    made = planned(own)
    assert made.holds == (False,)
    found = FittedModel(begin(made, made.config), made.encoding).responsibilities(splits.train.x)
    assert (found.argmax(-1) == truth).double().mean() > 0.9
    with pytest.raises(InputError, match="let them be free"):
        planned(own, clusters_are="held")
    with pytest.raises(InputError, match="marginal"):
        planned(splits, clusters_are="held", method="marginal")


@pytest.mark.parametrize(
    "start",
    ["random", "kmeans", "latent-kmeans", pytest.param("information", marks=pytest.mark.slow)],
)
def test_other_starts_of_a_table(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MIN_STEPS", 4)
    own = {"regularize": "resample"} if start == "information" else {}
    made = planned(initialization=start, starts=1, **own)
    fitted = train(made)
    figures = fitted.log_likelihood(made.splits.train.x, num_samples=20)
    assert figures.log_p.isfinite().all()


@pytest.mark.parametrize("clusters_are", ["held", "free"])
def test_a_near_pair_and_a_far_group_are_told_apart(clusters_are: str) -> None:
    """Clusters are far narrower than their column here, and no step carries one elsewhere."""
    generator = torch.Generator().manual_seed(3)
    centres = torch.tensor([0.0, 1.0, 20.0]).repeat_interleave(100)
    x = (centres + 0.05 * torch.randn(300, generator=generator)).double().unsqueeze(-1)
    data = Dataset("groups", x, None, TableEncoding)
    none = data.subset(torch.arange(0))
    for epochs in (1, 10):
        made = planned(
            Splits(data, none, none), likelihood="table", epochs=epochs, clusters_are=clusters_are
        )
        fitted = train(made)
        found = fitted.responsibilities(x).argmax(-1)
        assert adjusted_rand_score(centres.numpy(), found.numpy()) == 1
        # A normal of the true width has 0.479 nats a row.
        assert fitted.log_likelihood(x).mean > 0.46


def test_the_style_learns_what_varies_together() -> None:
    """Columns that depend on one another within a cluster gain what a covariance would give."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(400, 1, generator=generator)
    noise = torch.randn(400, 3, generator=generator)
    x = (z + 0.5 * noise).double() + 5 * (torch.arange(400) % 2).double().unsqueeze(-1)
    data = Dataset("pairs", x, None, TableEncoding)
    none = data.subset(torch.arange(0))
    made = planned(
        Splits(data, none, none),
        clusters=2,
        likelihood="table",
        clusters_are="held",
        epochs=25,
        learning_rate=3e-2,
        latent_dim=1,
    )
    start = FittedModel(begin(made, made.config).eval(), made.encoding)
    covariance = torch.ones(3, 3) + 0.25 * torch.eye(3)
    truth = torch.distributions.MultivariateNormal(torch.zeros(3), covariance)
    best = truth.log_prob(z + 0.5 * noise).mean().item() - torch.tensor(2.0).log().item()
    first, last = (f.log_likelihood(x, num_samples=300).mean for f in (start, train(made)))
    assert best - first > 0.8
    assert last > first + 0.85 * (best - first)


@pytest.mark.parametrize("held", ["held", "free"])
def test_a_run_is_loaded_as_it_was_saved(tmp_path: Path, held: str) -> None:
    made = planned(clusters_are=held)
    fitted, x = train(made), made.splits.validation.x
    save_run(tmp_path / "run", fitted)
    loaded = load(tmp_path / "run")
    assert same_weights(weights_of(loaded.gmvae), weights_of(fitted.gmvae))
    assert loaded.gmvae.options["table"] == fitted.gmvae.options["table"]
    assert loaded.about.held == (held == "held")
    figures = [f.log_likelihood(x, num_samples=30).log_p for f in (fitted, loaded)]
    assert torch.equal(*figures)
    for answer in ("responsibilities", "embed", "reconstruct", "impute"):
        ours, theirs = (getattr(f, answer)(x) for f in (fitted, loaded))
        torch.testing.assert_close(ours, theirs, atol=0, rtol=0, equal_nan=True)
    ours, theirs = (f.sample(10, seed=3)[0] for f in (fitted, loaded))
    assert torch.equal(ours, theirs)


def test_rows_are_filled_in_their_own_units() -> None:
    made = planned(clusters_are="held")
    fitted, x = train(made), made.splits.validation.x.clone()
    x[1], x[2] = x[0], torch.nan
    x[[0, 1], 0] = torch.nan
    for draw in (False, True):
        filled = fitted.impute(x, draw=draw)
        assert filled.isfinite().all() and torch.equal(filled[~x.isnan()], x[~x.isnan()])
        assert ((filled[:, 0] - 170).abs() < 150).all()
        for column in (1, 2, 3):
            whole = filled[:, column]
            assert (whole >= 0).all() and (column == 1 or (whole == whole.round()).all())
        assert filled[:, 2].max() <= 2 and filled[:, 3].max() <= 1
        # Equal rows have one mean, and draws of their own.
        assert torch.equal(filled[0], filled[1]) is not draw
        alone = fitted.impute(x[[0]], draw=draw)
        torch.testing.assert_close(alone, filled[[0]])
    drawn, _ = fitted.sample_given(50, x[:3])
    assert drawn.shape == (150, 4)
    first, second = drawn[:50], drawn[50:100]  # of equal rows
    assert len(first[:, 0].unique()) == 50 and not torch.equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_compiled_is_eager(method: str) -> None:
    made = planned(method=method, clusters_are="free", epochs=3)
    bounds = []
    for compiled in (False, True):
        own = replace(made, config=replace(made.config, compile=compiled))
        bounds.append(train(own).about.lower_bound)
    assert bounds[0] == pytest.approx(bounds[1], abs=0.02)
