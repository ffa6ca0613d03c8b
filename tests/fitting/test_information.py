"""A start by the regulariser alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyro_gmvae.data import ResidentBatches
from pyro_gmvae.evaluation import clustering_scores
from pyro_gmvae.fitting.starts.information import (
    PenaltyObjective,
    best_start,
    information_loss,
    maximize_information,
)
from pyro_gmvae.models import GMVAE, METHODS, AdversarialPerturbation, Regularizer
from pyro_gmvae.training import Reporter, TrainConfig, fit
from tests.helpers.tiny import blobs, quick, same_weights, tiny, weights_of

X, CLUSTERS = blobs(120)
CONFIG = quick(batch_size=60)


MIN_STEPS = "pyro_gmvae.fitting.starts.information.MIN_STEPS"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs need fewer steps than images."""
    monkeypatch.setattr(MIN_STEPS, 400)


@pytest.fixture
def shorter(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what does not ask which clusters are found."""
    monkeypatch.setattr(MIN_STEPS, 10)


def regularized(method: str = "exact", seed: int = 0) -> GMVAE:
    gmvae = tiny(method, seed)
    gmvae.regularize(Regularizer(AdversarialPerturbation(0.5)))
    return gmvae


@pytest.mark.parametrize("method", METHODS)
def test_finds_blobs_with_no_likelihood_at_all(method: str) -> None:
    gmvae = regularized(method)
    before = information_loss(gmvae, X)
    maximize_information(gmvae, X, CONFIG, epochs=1)
    assert information_loss(gmvae, X) < 0.3 * before
    found = gmvae.responsibilities(X).argmax(-1)
    assert clustering_scores(CLUSTERS, found).accuracy > 0.97


@pytest.mark.usefixtures("shorter")
def test_trains_what_tells_the_cluster_and_nothing_else() -> None:
    gmvae = regularized()
    before = weights_of(gmvae)
    maximize_information(gmvae, X, CONFIG, epochs=1)
    changed = {n for n, w in weights_of(gmvae).items() if not torch.equal(w, before[n])}
    assert changed and all(n.startswith(("guide.cluster_enc", "guide.y_head")) for n in changed)


@pytest.mark.usefixtures("shorter")
def test_is_the_same_again_and_leaves_the_generators_alone() -> None:
    states = []
    for _ in range(2):
        gmvae = regularized()
        torch.manual_seed(7)
        maximize_information(gmvae, X, CONFIG, epochs=1)
        assert torch.rand(()) == torch.rand((), generator=torch.Generator().manual_seed(7))
        states.append(weights_of(gmvae))
    assert same_weights(*states)


def test_the_clusters_outlive_the_training_that_follows() -> None:
    gmvae = regularized("concrete")
    maximize_information(gmvae, X, CONFIG, epochs=1)
    fit(gmvae, X, quick(batch_size=60, epochs=20))
    found = gmvae.responsibilities(X).argmax(-1)
    assert clustering_scores(CLUSTERS, found).accuracy > 0.97


def test_the_best_of_several_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four starts are judged by the rows they learned; a start's loss is told by its seed alone."""
    trained: list[int] = []
    seeds: dict[int, int] = {}

    def make(seed: int) -> GMVAE:
        gmvae = regularized(seed=seed)
        seeds[id(gmvae)] = seed
        return gmvae

    def loss(gmvae: GMVAE, x: torch.Tensor, **_: Any) -> float:
        assert x is X
        return abs(seeds[id(gmvae)] - 6)

    where = "pyro_gmvae.fitting.starts.information"
    monkeypatch.setattr(
        f"{where}.maximize_information", lambda g, x, c, **_: trained.append(c.seed)
    )
    monkeypatch.setattr(f"{where}.information_loss", loss)
    best = best_start(make, [4, 5, 6, 8], X, CONFIG, epochs=1)
    assert seeds[id(best)] == 6
    assert trained == [4, 5, 6, 8, 6]
    trained.clear()
    assert seeds[id(best_start(make, [5], X, CONFIG, epochs=1))] == 5
    assert trained == [5]


def test_needs_a_regulariser() -> None:
    with pytest.raises(ValueError, match="give the model a regulariser first"):
        maximize_information(tiny(), X, CONFIG, epochs=1)
    with pytest.raises(ValueError, match="give the model a regulariser first"):
        information_loss(tiny(), X)


class Told(Reporter):
    def __init__(self) -> None:
        self.shares: list[float] = []
        self.steps: list[int] = []
        self.closed = 0

    def beginning(self, share: float) -> None:
        self.shares.append(share)

    def step(self, step: int) -> None:
        self.steps.append(step)

    def close(self) -> None:
        self.closed += 1


def test_reporters_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MIN_STEPS, 4)
    alone, several = Told(), Told()
    maximize_information(regularized(), X, CONFIG, epochs=1, reporters=[alone])
    assert alone.steps == [1, 2, 3, 4] and alone.closed == 1
    best_start(
        lambda seed: regularized(seed=seed), [0, 1], X, CONFIG, epochs=1, reporters=[several]
    )
    assert several.shares == [step / 12 for step in range(1, 13)]  # of two starts, and of the best
    assert several.steps == [] and several.closed == 0  # they go on to the training


@pytest.mark.parametrize(
    ("rows", "epochs", "steps"),
    [(120, 1, 400), (119, 1000.0, 1000), (40, 1, 400), (120, 250.5, 501)],
)
def test_a_training_of_its_own(
    rows: int, epochs: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are full, the rate falls along a cosine, consistency comes in over a third."""
    told: list[tuple[ResidentBatches, TrainConfig, Any]] = []

    def listen(gmvae: GMVAE, x: ResidentBatches, config: TrainConfig, **others: Any) -> None:
        told.append((x, config, others["objective"]))

    monkeypatch.setattr("pyro_gmvae.fitting.starts.information.fit", listen)
    asked = quick(batch_size=60, seed=5, max_steps=3, precision="bfloat16", patience=2)
    maximize_information(regularized(), X[:rows], asked, epochs=epochs)
    (batches, config, objective) = told[0]
    assert [batches.size(step) for step in range(len(batches))] == [min(60, rows)] * len(batches)
    assert isinstance(objective, PenaltyObjective)
    assert config.total_steps(len(batches)) == steps
    assert (config.seed, config.precision, config.patience) == (5, "bfloat16", None)
    assert config.learning_rate_at(steps // 2, steps) == pytest.approx(
        config.learning_rate / 2, rel=0.01
    )
    ramp = config.regularizer_annealing
    assert ramp.at(0, len(batches)) == pytest.approx(0.05)
    assert ramp.at(steps // 6, len(batches)) == pytest.approx(0.55, abs=0.01)
    assert ramp.at(steps // 3 + 1, len(batches)) == 1.0
    assert config.kl_annealing.at(0, 1) == config.z_kl_annealing.at(0, 1) == 1.0


def test_the_objective_is_the_weighted_penalties_summed_over_the_rows() -> None:
    gmvae = regularized().train()
    objective = PenaltyObjective(gmvae)
    found = []
    for consistency in (1.0, 0.5):
        gmvae.weights.set(regularizer_weight=consistency)
        torch.manual_seed(0)
        found.append(objective(X, None))
    whole, half = found
    torch.testing.assert_close(whole.loss, sum(whole.sites.values(), torch.zeros(())))
    torch.testing.assert_close(half.sites["consistency"], whole.sites["consistency"] / 2)
    for name in whole.sites.keys() - {"consistency"}:
        torch.testing.assert_close(half.sites[name], whole.sites[name])
    torch.manual_seed(0)
    means = objective.penalties(X)
    for name, mean in means.items():
        torch.testing.assert_close(whole.sites[name], len(X) * mean.detach())
