"""p(y|w) beside a mixture: the logit, the joint fit, and the pair that begins at it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pyro_gmvae.evaluation import log_likelihood, responsibilities
from pyro_gmvae.fitting.starts.column_mixture import TableRows
from pyro_gmvae.fitting.starts.exact import begin_at_mixture
from pyro_gmvae.fitting.starts.membership import (
    MembershipRows,
    begin_membership,
    centre_membership,
    join,
)
from pyro_gmvae.fitting.starts.mixture_fit import table_features
from pyro_gmvae.likelihoods import TableStructure
from tests.helpers.tables import WORDS, drawn_rows, random_mixture, table_gmvae, with_gaps

K, P = 3, 2


def test_the_logit_is_that_of_scikit_learn() -> None:
    """Classes instead of responsibilities, with weights and the same penalty."""
    rng = np.random.default_rng(0)
    w, y, weights = rng.normal(size=(300, P)), rng.integers(0, K, 300), rng.random(300) + 0.5
    rows = MembershipRows.of(torch.from_numpy(w), torch.from_numpy(weights))
    ours = rows.fitted(torch.eye(K)[torch.from_numpy(y)], steps=500)
    peer = LogisticRegression(C=100.0, tol=1e-10, max_iter=10_000).fit(w, y, sample_weight=weights)
    slope = ours[1:].T.numpy()
    np.testing.assert_allclose(slope - slope.mean(0), peer.coef_ - peer.coef_.mean(0), atol=1e-3)


def test_no_round_of_a_joint_fit_loses() -> None:
    torch.manual_seed(0)
    rows = MembershipRows.of(torch.randn(200, P))
    x = torch.randn(200, 1, dtype=torch.float64) + 2 * (rows.design[:, 1:2] > 0)
    reached = []

    def laws(r: torch.Tensor) -> torch.Tensor:
        mean = (r.T @ x) / r.sum(0).unsqueeze(-1)
        return -0.5 * (x - mean.T) ** 2

    for rounds in range(1, 12):
        begun = torch.softmax(torch.cat([x, -x], 1), 1)
        found = join(rows, begun, laws, rounds=rounds, least_gain=0.0)
        joint = laws(found.responsibilities) + rows.log_p(found.coefficients)
        reached.append(float(joint.logsumexp(-1).mean()))
    assert np.diff(reached).min() > -1e-6
    assert reached[-1] > reached[0] + 1e-4


@pytest.mark.parametrize("method", ["exact", "marginal"])
def test_a_pair_begins_exactly_at_the_mixture_with_covariates(method: str) -> None:
    """q(y|x,w) and log p(x|w) against the mixture, with gaps in x."""
    structure = TableStructure(WORDS)
    mixture = random_mixture(structure, K, apart=0.7)
    x = with_gaps(drawn_rows(mixture, 400)[0])
    w = torch.randn(400, P, generator=torch.Generator().manual_seed(0))
    w[:, 0] += x[:, 1].nan_to_num(nan=0.0)
    gmvae = table_gmvae(structure, K, method, n_covariates=P, learn_mixture=True)
    begin_at_mixture(gmvae, mixture, table_features(structure, x))
    plain = responsibilities(gmvae, x)
    begin_membership(gmvae, plain, w, None)

    rows, membership = TableRows.of(x, structure), MembershipRows.of(w)
    log_p_x = mixture.log_joint(rows) - mixture.log_p_y
    found = join(membership, mixture.log_joint(rows).softmax(-1), lambda r: log_p_x)
    joint = log_p_x + membership.log_p(found.coefficients)
    assert float(found.coefficients[1:].abs().max()) > 0.1  # w tells something
    if method == "exact":
        torch.testing.assert_close(
            responsibilities(gmvae, x, covariates=(w,)),
            joint.softmax(-1).float(),
            atol=1e-3,
            rtol=0,
        )
    log_p = joint.logsumexp(-1) + mixture.log_base(rows)
    ours = log_likelihood(gmvae, x, covariates=(w,), num_samples=200, diagnostics=False).log_p
    assert float((ours - log_p).abs().median()) < 0.15


def test_centring_changes_no_density_and_makes_p_y_the_mean() -> None:
    structure = TableStructure(WORDS)
    gmvae = table_gmvae(structure, K, "exact", n_covariates=P, learn_mixture=True)
    x, w = drawn_rows(random_mixture(structure, K), 50)[0], torch.randn(50, P)
    with torch.no_grad():
        gmvae.model.membership.constant.normal_()
        gmvae.model.membership.slope.normal_()
    weights = torch.rand(50)
    before = gmvae.model.log_p_y(w), responsibilities(gmvae, x, covariates=(w,))
    centre_membership(gmvae, w, weights)
    torch.testing.assert_close(gmvae.model.log_p_y(w), before[0])
    torch.testing.assert_close(responsibilities(gmvae, x, covariates=(w,)), before[1])
    mean = (weights.unsqueeze(-1) * before[0].exp()).sum(0) / weights.sum()
    torch.testing.assert_close(gmvae.model.log_p_y().exp(), mean)
