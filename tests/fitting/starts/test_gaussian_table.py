"""A GMVAE of numbers begins exactly at a mixture of Gaussians, and keeps its clusters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs, make_circles
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import log_likelihood, responsibilities
from pyro_gmvae.fitting.starts import portfolio
from pyro_gmvae.fitting.starts.gaussian_table import begin_at_gaussians
from pyro_gmvae.fitting.starts.gaussians import (
    SHAPES,
    GaussianRows,
    Gaussians,
    expectation_maximization,
)
from pyro_gmvae.fitting.starts.neighbours import (
    nearest,
    pieces,
    separation_cost,
    spectral_clusters,
)
from pyro_gmvae.fitting.starts.portfolio import best_of_portfolio
from pyro_gmvae.fitting.starts.teaching import teach_clusters
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import GMVAE as Pair
from pyro_gmvae.models import METHODS, keep_components
from pyro_gmvae.networks import TableStatistics

FLOORS = (1e-3,) * 3


def mixture_and_rows(k: int = 4, n: int = 200, seed: int = 0) -> tuple[Gaussians, Tensor]:
    """Three columns, correlated differently in each cluster."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(k, 3, 3, generator=generator, dtype=torch.float64)
    covariance = 0.1 * root @ root.mT + 0.01 * torch.eye(3)
    loc = 2 * torch.randn(k, 3, generator=generator, dtype=torch.float64)
    made = Gaussians("full", torch.full((k,), 1 / k, dtype=torch.float64).log(), loc, covariance)
    y = torch.randint(k, (n,), generator=generator)
    noise = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    x = loc[y] + (torch.linalg.cholesky(covariance)[y] @ noise.unsqueeze(-1)).squeeze(-1)
    return made, x


def torchs(mixture: Gaussians) -> MixtureSameFamily:
    parts = MultivariateNormal(mixture.loc, mixture.covariance)
    return MixtureSameFamily(Categorical(logits=mixture.log_p_y), parts)


def pair(method: str, k: int, latent_dim: int = 3) -> Pair:
    table = TableStructure(("real",) * 3, floors=FLOORS, correlated=True, linear=False)
    options = {"hidden": (8,), "likelihood": "gaussian", "table": table, "learn_mixture": True}
    return METHODS[method](3, k, latent_dim, **options)


def test_the_log_joint_is_torchs() -> None:
    mixture, x = mixture_and_rows()
    found = mixture.log_joint(GaussianRows.of(x)).logsumexp(-1)
    torch.testing.assert_close(found, torchs(mixture).log_prob(x))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_log_joint_of_each_shape_is_torchs(shape: str) -> None:
    _, x = mixture_and_rows()
    rows = GaussianRows.of(x, floors=FLOORS)
    made = Gaussians.of(rows, torch.randn(len(x), 4, dtype=torch.float64).softmax(-1), shape)
    found = made.log_joint(rows).logsumexp(-1)
    torch.testing.assert_close(found, torchs(made).log_prob(x))
    off_diagonal = made.covariance - torch.diag_embed(made.covariance.diagonal(dim1=-2, dim2=-1))
    assert bool(off_diagonal.any()) == (shape != "diagonal")


def test_an_m_step_is_scikit_learns() -> None:
    _, x = mixture_and_rows()
    r = torch.randn(len(x), 4, dtype=torch.float64).softmax(-1)
    theirs = GaussianMixture(4, reg_covar=0)
    theirs._initialize(x.numpy(), r.numpy())
    ours = Gaussians.of(GaussianRows.of(x), r, "full")
    np.testing.assert_allclose(ours.loc, theirs.means_, atol=1e-6)
    np.testing.assert_allclose(ours.covariance, theirs.covariances_, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_fits_of_a_batch_are_those_of_each_alone(shape: str) -> None:
    _, x = mixture_and_rows(n=80)
    rows = GaussianRows.of(x, floors=FLOORS)
    begun = torch.randn(3, 80, 4, dtype=torch.float64).softmax(-1)
    options = {"rounds": 15, "least_gain": 1e-4}
    together, values = expectation_maximization(rows, begun, shape, **options)
    for i in range(3):
        alone, value = expectation_maximization(rows, begun[i : i + 1], shape, **options)
        torch.testing.assert_close(together[i].loc, alone[0].loc)
        torch.testing.assert_close(values[i], value[0])


def test_a_weight_of_two_is_two_rows() -> None:
    _, x = mixture_and_rows(n=60)
    r = torch.randn(60, 3, dtype=torch.float64).softmax(-1)
    weights = torch.ones(60)
    weights[:20] = 2
    twice = [torch.cat([t, t[:20]]) for t in (x, r)]
    for shape in SHAPES:
        one = Gaussians.of(GaussianRows.of(x, weights), r, shape)
        two = Gaussians.of(GaussianRows.of(twice[0]), twice[1], shape)
        torch.testing.assert_close(one.covariance, two.covariance)


@pytest.mark.parametrize("method", METHODS)
def test_the_first_model_is_the_mixture(method: str) -> None:
    mixture, x = mixture_and_rows()
    gmvae = pair(method, 4).eval()
    begin_at_gaussians(gmvae, mixture)
    joint = mixture.log_joint(GaussianRows.of(x))
    exact = joint.logsumexp(-1)
    sure = joint.softmax(-1).amax(-1) > 0.999  # one normal q(z|x) covers one cluster
    rows = sure if method == "marginal" else torch.ones_like(sure)
    assert rows.sum() > 50
    found = responsibilities(gmvae, x.float()).double()
    torch.testing.assert_close(found[rows], joint.softmax(-1)[rows], atol=2e-3, rtol=0)
    estimate = log_likelihood(gmvae, x.float(), num_samples=50, diagnostics=False)
    error = (estimate.log_p - exact)[rows].abs()
    # q(z|x) is the posterior itself, so that every weight is p(x).
    assert error.median() < 1e-3 and error.quantile(0.95) < 0.05


def test_with_fewer_dimensions_q_y_is_still_the_posterior() -> None:
    mixture, x = mixture_and_rows()
    gmvae = pair("exact", 4, latent_dim=1).eval()
    begin_at_gaussians(gmvae, mixture)
    wanted = mixture.log_joint(GaussianRows.of(x)).softmax(-1)
    torch.testing.assert_close(
        responsibilities(gmvae, x.float()).double(), wanted, atol=2e-3, rtol=0
    )
    estimate = log_likelihood(gmvae, x.float(), num_samples=200, diagnostics=False)
    assert abs(estimate.mean - float(torchs(mixture).log_prob(x).mean())) < 0.6


def test_kept_clusters_keep_their_lines() -> None:
    mixture, x = mixture_and_rows()
    gmvae = pair("exact", 4)
    begin_at_gaussians(gmvae, mixture)
    few = keep_components(gmvae, torch.tensor([2, 0]))
    head, whole = few.guide.z_head.line, gmvae.guide.z_head.line
    assert head is not None and whole is not None
    torch.testing.assert_close(head.slope, whole.slope[[2, 0]])


def test_products_of_columns() -> None:
    statistics = TableStatistics(TableStructure(("real",) * 3).layout, correlated=True)
    found = statistics(torch.tensor([[2.0, 3.0, 5.0]]))[0]
    assert len(found) == statistics.size and found[-3:].tolist() == [6.0, 10.0, 15.0]


def test_a_mixture_where_groups_are_round_and_the_graph_where_they_are_not() -> None:
    blobs, groups = make_blobs(300, centers=[[0, 0], [3, 0], [0, 3]], random_state=0)
    rows = GaussianRows.of(torch.from_numpy(blobs), floors=(1e-3,) * 2)
    found = best_of_portfolio(rows, 3, seed=0)
    plain = GaussianMixture(3, n_init=10, random_state=0).fit_predict(blobs)
    ours = found.mixture.log_joint(rows).argmax(-1)
    assert adjusted_rand_score(groups, ours) > adjusted_rand_score(groups, plain) - 0.02
    x, ring = make_circles(600, factor=0.4, noise=0.04, random_state=0)
    rows = GaussianRows.of(torch.from_numpy(x), floors=(1e-3,) * 2)
    found = best_of_portfolio(rows, 2, seed=0)
    labels = found.mixture.log_joint(rows).argmax(-1) if found.clusters is None else found.clusters
    assert adjusted_rand_score(ring, labels) > 0.97


def waves(n: int = 400) -> tuple[Tensor, Tensor]:
    """Draw two parallel waves, which covariances cannot tell, and which of them a row is in."""
    rng = np.random.default_rng(0)
    t, y = rng.uniform(0, 9, 2 * n), np.repeat([0, 1], n)
    x = np.stack([t, np.sin(t) + 1.2 * y + 0.05 * rng.normal(size=2 * n)], -1)
    return torch.from_numpy((x - x.mean(0)) / x.std(0)), torch.from_numpy(y)


def test_pieces_of_the_graph_are_the_clusters() -> None:
    x, y = waves()
    rows = GaussianRows.of(x, floors=(1e-3,) * 2)
    found = best_of_portfolio(rows, 2, seed=0)
    assert found.clusters is not None
    assert adjusted_rand_score(y, found.clusters) == 1.0
    # Another number of clusters than of pieces says nothing of which pieces belong together.
    assert len(pieces(nearest(x)).bincount()) == 2
    far = torch.cat([x, x + torch.tensor([20.0, 0.0]), x + torch.tensor([60.0, 0.0])])
    found = best_of_portfolio(GaussianRows.of(far, floors=(1e-3,) * 2), 2, seed=0)
    labels = found.mixture.log_joint(GaussianRows.of(far)).argmax(-1)
    labels = labels if found.clusters is None else found.clusters
    blocks = torch.arange(3).repeat_interleave(len(x))
    assert adjusted_rand_score(blocks == 2, labels) == 1.0


def test_the_default_training_keeps_pieces() -> None:
    x, y = waves()
    labels = GMVAE(2, random_state=0).fit_predict(x.numpy())
    assert adjusted_rand_score(y, labels) > 0.95


def test_the_cost_of_separation_is_the_entropy_of_dividing_neighbours() -> None:
    near = torch.tensor([[1], [0], [3], [2], [5], [4], [7], [6]])
    clusters = torch.tensor([0, 1, 0, 0, 0, 0, 0, 0])  # a quarter of the pairs disagree
    entropy = Categorical(torch.tensor([0.25, 0.75], dtype=torch.float64)).entropy()
    torch.testing.assert_close(separation_cost(clusters, near).mean(), entropy)


def test_a_graph_of_few_or_equal_rows() -> None:
    assert spectral_clusters(torch.zeros(8, 2, dtype=torch.float64), 2, seed=0) is None
    x = torch.zeros(40, 2, dtype=torch.float64)
    best_of_portfolio(GaussianRows.of(x, floors=(1e-3,) * 2), 2, seed=0)  # no error


def test_a_portfolio_cuts_no_graph_of_ten_neighbours_into_clusters_of_ten_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def noted(x: Tensor, n_clusters: int, *, seed: int) -> Tensor | None:
        tried.append(n_clusters)
        return spectral_clusters(x, n_clusters, seed=seed)

    monkeypatch.setattr(portfolio, "spectral_clusters", noted)
    x = torch.arange(50.0, dtype=torch.float64).unsqueeze(-1)
    x[25:] += 1_000
    for n_clusters in (5, 4, 2):
        best_of_portfolio(GaussianRows.of(x, floors=(1e-3,)), n_clusters, seed=0)
    assert tried == [4, 2]
    assert spectral_clusters(x, 5, seed=0) is not None  # who asks for the cut alone has it


def test_teaching_goes_on_until_it_is_learned() -> None:
    x, y = make_blobs(400, centers=12, cluster_std=0.3, random_state=0)
    gmvae = METHODS["sparse"](2, 12, 2, hidden=(32,), likelihood="gaussian")
    points = torch.from_numpy(x).float() / 5
    assert teach_clusters(gmvae, points, torch.from_numpy(y).long(), seed=0) > 0.97
    found = responsibilities(gmvae, points).argmax(-1)
    assert adjusted_rand_score(y, found) > 0.95


@pytest.mark.parametrize("bad", [{"likelihood": "bernoulli"}, {"encoder": torch.nn.Identity()}])
def test_laws_with_what_contradicts_them(bad: dict) -> None:
    table = TableStructure(("real",) * 3, correlated=True)
    with pytest.raises(ValueError, match="structure of a table"):
        METHODS["sparse"](3, 2, 2, **{"likelihood": "gaussian", "table": table} | bad)


class TestFits:
    """Never worse than the start: the clusters of the best start are those of the end."""

    def fit(self, x: np.ndarray, k: int, **options: object) -> GMVAE:
        return GMVAE(k, random_state=0, **options).fit(x)

    def test_narrow_groups_of_one_column(self) -> None:
        random = np.random.RandomState(0)
        y = np.repeat([0, 1, 2], 100)
        x = np.array([0.0, 1.0, 20.0])[y] + 0.05 * random.randn(300)
        assert adjusted_rand_score(y, self.fit(x[:, None], 3).labels_) == 1

    def test_sixty_rows_of_three_plain_groups(self) -> None:
        x, y = make_blobs(60, centers=[[0, 0], [8, 0], [0, 8]], random_state=0)
        assert adjusted_rand_score(y, self.fit(x, 3).labels_) == 1

    @pytest.mark.slow
    def test_a_ring_in_a_ring(self) -> None:
        x, y = make_circles(800, factor=0.4, noise=0.04, random_state=0)
        brief, longer = (self.fit(x, 2, max_iter=epochs) for epochs in (1, 60))
        for gmvae in (brief, longer):
            assert adjusted_rand_score(y, gmvae.labels_) > 0.97 and gmvae.fitted_.about.held
        # Training bends the clusters, which no Gaussian can.
        assert longer.score(x) > brief.score(x) + 0.2

    def test_clusters_can_be_free(self) -> None:
        x, _ = make_blobs(120, centers=3, random_state=0)
        assert not self.fit(x, 3, clusters_are="free").fitted_.about.held
        assert not self.fit(x, 3, method="marginal").fitted_.about.held

    def test_a_graph_that_cannot_be_cut(self) -> None:
        with pytest.raises(InputError, match="begin by mixture or kmeans"):
            self.fit(np.arange(8.0)[:, None], 3, init_params="spectral")
