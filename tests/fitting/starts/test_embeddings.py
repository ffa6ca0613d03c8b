"""Embeddings begin near the clusters that nearest neighbours share most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score, mutual_info_score
from torch import Tensor

from benchmarks.clusters.sphere import rings, von_mises_fisher
from pyro_gmvae import GMVAE
from pyro_gmvae.data import EmbeddingEncoding, Splits, from_array
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts import embeddings
from pyro_gmvae.fitting.starts.context import StartContext
from pyro_gmvae.fitting.starts.embeddings import neighbours_start
from pyro_gmvae.fitting.starts.neighbours import nearest, shared_information
from pyro_gmvae.models import ExactGMVAE
from pyro_gmvae.training import TrainConfig


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one short start by information, for groups that lie well apart."""
    monkeypatch.setattr("pyro_gmvae.fitting.starts.information.MIN_STEPS", 150)
    monkeypatch.setattr(embeddings, "TRIES", 1)


def context(x: np.ndarray, clusters: int, **options: bool) -> StartContext:
    rows = torch.from_numpy(x)
    encoding = EmbeddingEncoding.centre(rows)
    torch.manual_seed(0)
    gmvae = ExactGMVAE(x.shape[1], clusters, 2, hidden=(16,), likelihood="gaussian", **options)
    return StartContext(gmvae, rows, TrainConfig(batch_size=60), transform=encoding)


def planned(x: np.ndarray, **said: object) -> Plan:
    data = from_array(x)
    none = data.subset(torch.arange(0))
    settings = Settings.of(None, **{"clusters": 2, "hidden": (8,), "device": "cpu"} | said)
    return plan(settings, Splits(data, none, none))


def shared(clusters: Tensor, near: Tensor) -> float:
    """Both orders of each pair, counted one by one."""
    first = clusters.unsqueeze(-1).expand_as(near).flatten()
    second = clusters[near].flatten()
    return float(mutual_info_score(torch.cat([first, second]), torch.cat([second, first])))


def test_shared_information_is_that_of_counted_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    near = nearest(x, 6)
    for clusters in (torch.randint(5, (200,), generator=generator), (2 * x[:, 0]).long().abs()):
        assert shared_information(clusters, near) == pytest.approx(shared(clusters, near), abs=1e-9)


def test_it_is_the_entropy_of_groups_that_lie_apart() -> None:
    sizes = torch.tensor([40, 30, 20])
    y = torch.arange(3).repeat_interleave(sizes)
    near = nearest(100.0 * y.double().unsqueeze(-1) + torch.linspace(0, 1, 90).unsqueeze(-1), 5)
    p = sizes / sizes.sum()
    assert shared_information(y, near) == pytest.approx(float(-(p * p.log()).sum()), abs=1e-6)
    merged, split = torch.where(y == 2, 1, y), torch.where(y == 1, torch.arange(90) % 2 + 1, y)
    split[y == 2] = 0
    assert shared_information(merged, near) < shared_information(y, near)
    assert shared_information(split, near) < shared_information(y, near)


@pytest.mark.usefixtures("short")
def test_groups_of_unlike_sizes_are_found() -> None:
    x, y = von_mises_fisher(np.random.default_rng(1), 64, 150, [120, 60, 30])
    made = context(x, 3, learn_mixture=True)
    before = {n: t.clone() for n, t in made.gmvae.state_dict().items()}
    found = neighbours_start(made)
    assert found.shape == (210, 3)
    assert adjusted_rand_score(y, found.argmax(-1)) > 0.97
    assert all(torch.equal(t, before[n]) for n, t in made.gmvae.state_dict().items())


@pytest.mark.usefixtures("short")
def test_the_clustering_of_most_shared_information_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, y = von_mises_fisher(np.random.default_rng(2), 64, 150, [50, 50])
    right = torch.nn.functional.one_hot(torch.from_numpy(y)).float()
    outliers = torch.zeros(100, 2)
    outliers[:, 0] = 1
    outliers[0] = torch.tensor([0.0, 1.0])
    for given in ([outliers, right], [right, outliers]):
        monkeypatch.setattr(embeddings, "_candidates", lambda *_, given=given: iter(given))
        assert torch.equal(neighbours_start(context(x, 2)), right)


@pytest.mark.usefixtures("short")
def test_neighbours_alone_find_what_outliers_hide_from_the_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embeddings, "spectral_clusters", lambda *_, **__: None)
    x, y = von_mises_fisher(np.random.default_rng(3), 64, 150, [70, 70, 70])
    found = neighbours_start(context(x, 3))
    assert adjusted_rand_score(y, found.argmax(-1)) > 0.97


def test_gaps_and_images_are_refused() -> None:
    made = context(np.random.default_rng(0).normal(size=(20, 4)), 2)
    with pytest.raises(InputError, match="the start neighbours is for three rows of numbers"):
        neighbours_start(replace(made, x=torch.full((20, 4), torch.nan)))
    with pytest.raises(InputError, match="begin by mixture or kmeans"):
        neighbours_start(replace(made, x=made.x[:2]))


def test_embeddings_hold_the_clusters_of_neighbours() -> None:
    x, _ = von_mises_fisher(np.random.default_rng(0), 64, 40, [30, 30])
    told = planned(x)
    assert isinstance(told.encoding, EmbeddingEncoding)
    assert told.start.name == "neighbours" and told.holds == (True,)
    assert told.regularizer is None
    named = planned(3 * x, kind="embedding")
    assert isinstance(named.encoding, EmbeddingEncoding)
    assert not isinstance(planned(x, kind="table").encoding, EmbeddingEncoding)


def test_neighbours_can_regularise_the_whole_training() -> None:
    x, _ = von_mises_fisher(np.random.default_rng(0), 64, 40, [30, 30])
    made = planned(x, regularize="neighbours")
    assert made.regularizer is not None
    assert made.start.name == "information" and made.holds == (False,)
    with pytest.raises(InputError, match="neighbours is for embeddings: regularise tables by"):
        planned(x, regularize="neighbours", kind="table")


@pytest.mark.usefixtures("short")
def test_the_estimator_places_new_rows() -> None:
    x, y = von_mises_fisher(np.random.default_rng(4), 64, 150, [120, 60, 60])
    new, x, seen_y, new_y = x[:60], x[60:], y[60:], y[:60]
    fitted = GMVAE(3, hidden=(16,), max_iter=2, random_state=0).fit(x.astype(np.float16))
    assert fitted.get_params()["kind"] == "auto"
    assert adjusted_rand_score(seen_y, fitted.labels_) > 0.97
    assert adjusted_rand_score(new_y, fitted.predict(7 * new)) > 0.97
    assert np.isfinite(fitted.score_samples(new)).all()
    rows, _ = fitted.sample(20)
    assert rows.shape == (20, 64)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_rings_that_kmeans_cuts_are_found(seed: int) -> None:
    x, y = rings(np.random.default_rng(seed), 128, 8, 60)
    fitted = GMVAE(8, random_state=seed).fit(x[100:])
    assert adjusted_rand_score(y[100:], fitted.labels_) > 0.98
    assert adjusted_rand_score(y[:100], fitted.predict(x[:100])) > 0.95
