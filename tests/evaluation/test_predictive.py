"""Predictive checks call a right model right, and find the cluster and the column that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import PredictiveCheck, predictive_checks, sample
from pyro_gmvae.models import GMVAE, ConcreteGMVAE
from tests.helpers.linear_gaussian import SCALE, linear_gaussian


def with_true_posterior(gmvae: GMVAE) -> GMVAE:
    """Give a linear model its own p(y|x) in place of its guide's, which is not trained."""
    model = gmvae.model

    def posterior(x: Tensor, *covariates: Tensor) -> Tensor:
        weight, bias = model.decoder.weight, model.decoder.bias
        scaled = weight * model.component_scale.unsqueeze(-2)
        noise = SCALE**2 * torch.eye(len(bias), dtype=x.dtype)
        p_x = torch.distributions.MultivariateNormal(
            model.component_loc @ weight.T + bias, scaled @ scaled.mT + noise
        )
        return (model.log_p_y() + p_x.log_prob(x.unsqueeze(-2))).softmax(-1)

    gmvae.responsibilities = posterior
    return gmvae


def surprising(checks: list[PredictiveCheck]) -> set[tuple[int, str, str]]:
    return {(c.cluster, c.statistic, c.place) for c in checks if c.surprising}


def test_a_right_model_has_p_values_in_the_middle() -> None:
    """Over 8 samples of the model p-values have a mean of 1/2, and 2 alpha of them are extreme."""
    gmvae = with_true_posterior(linear_gaussian("exact"))
    p = []
    for seed in range(8):
        x, _ = sample(gmvae, 300, mean=False, seed=seed)
        p += [c.p_value for c in predictive_checks(gmvae, x, num_draws=40, seed=seed)]
    values = np.array(p)
    assert len(values) == 8 * 3 * 4 * 3
    # Figures of one sample hang together: its twelve statistics count as three.
    assert abs(values.mean() - 0.5) < 4 * values.std() / (8 * 9) ** 0.5
    assert ((values < 0.05) | (values > 0.95)).mean() < 0.2
    assert ((values < 0.01) | (values > 0.99)).mean() < 0.04


def test_the_wrong_cluster_and_column_are_found() -> None:
    gmvae = linear_gaussian("exact")
    x, clusters = sample(gmvae, 1500, mean=False, seed=5)
    gmvae.responsibilities = lambda rows, *_: torch.nn.functional.one_hot(clusters, 3)[
        : len(rows)
    ].double()
    own = clusters == 1
    x[own, 2] = x[own, 2].mean() + 2 * (x[own, 2] - x[own, 2].mean())  # twice as wide
    checks = predictive_checks(gmvae, x, num_draws=100, batch_size=1500, feature_names=list("abc"))
    found = surprising(checks)
    wrong = ("standard deviation", "5 % quantile", "95 % quantile")
    assert found == {(1, name, "c") for name in wrong}
    wide = next(c for c in checks if (c.cluster, c.statistic, c.place) == (1, *WIDE))
    assert wide.observed / wide.replicated == pytest.approx(2, rel=0.15)
    assert wide.p_value == 0


WIDE = ("standard deviation", "c")


def test_gaps_own_statistics_and_rare_clusters() -> None:
    gmvae = with_true_posterior(linear_gaussian("sparse"))
    x, _ = sample(gmvae, 200, mean=False)
    seen = torch.arange(200) % 2 == 0
    rows = torch.where(seen.unsqueeze(-1) & (torch.arange(3) == 0), torch.nan, x)
    gmvae.responsibilities = lambda batch, *_: torch.tensor([[0.5, 0.48, 0.02]]).expand(
        len(batch), 3
    )
    counted: list[int] = []

    def gaps(values: np.ndarray) -> float:
        counted.append(values.ndim)
        return np.isnan(values).sum()

    checks = predictive_checks(gmvae, rows, statistics={"gaps": gaps}, num_draws=9)
    assert [c.cluster for c in checks] == [0, 1]  # four rows are expected in cluster 2
    assert all(c.observed == c.replicated and c.p_value == 0.5 for c in checks)
    assert set(counted) == {2} and len(counted) == 2 * 2 * 9
    bare = predictive_checks(gmvae, rows * torch.tensor([torch.nan, 1, 1]), num_draws=3)
    assert all(np.isnan(c.p_value) == (c.place == "0") for c in bare)


def test_seeds_and_global_state() -> None:
    gmvae = with_true_posterior(linear_gaussian("exact"))
    x, _ = sample(gmvae, 60, mean=False)
    state = torch.get_rng_state()
    first, again, other = (predictive_checks(gmvae, x, num_draws=5, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert first == again != other


def test_bad_arguments() -> None:
    gmvae, x = linear_gaussian("exact"), torch.zeros(20, 3, dtype=torch.float64)
    with pytest.raises(InputError, match="2 feature names for 3 features"):
        predictive_checks(gmvae, x, feature_names=["a", "b"])
    with pytest.raises(InputError, match="num_draws"):
        predictive_checks(gmvae, x, num_draws=0)
    images = ConcreteGMVAE((1, 2, 3), 2, 2, hidden=(8,))
    with pytest.raises(InputError, match="give statistics"):
        predictive_checks(images, torch.zeros(20, 1, 2, 3))
