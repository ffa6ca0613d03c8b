"""Rows that belong together: what the factor is worth, whom it reaches, what it leaves alone."""

from __future__ import annotations

import copy
from math import log
from typing import Any

import pyro
import pytest
import torch
from torch import Tensor

from pyro_gmvae.data import ImageEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import CapturedELBO, TraceEnumMeanField_ELBO, autocast_networks
from pyro_gmvae.models import METHODS, MUST_LINK, MustLink
from pyro_gmvae.models.must_link import check_must_link, must_linked
from tests.helpers.small import B, D, K, binary_data, flat_gradients, small_gmvae

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)
GROUPS = torch.tensor([7, -1, 3, 7, 5, 3, 7, -1])  # 5 is alone, -1 is no group
COMPANIONS = {0: {3, 6}, 3: {0, 6}, 6: {0, 3}, 2: {5}, 5: {2}}
ROWS = torch.arange(8.0).unsqueeze(-1)  # each says which it is


def test_penalty_is_the_log_ratio_to_chance_of_the_pairs_drawn() -> None:
    table, batch = torch.randn(8, K).log_softmax(-1), torch.randn(B, K).log_softmax(-1)
    seen: list[int] = []

    def log_r(x: Tensor) -> Tensor:
        seen.extend(x.flatten().long().tolist())
        return table[x.flatten().long()]

    found = MustLink(ROWS, GROUPS).penalty(log_r, batch).item()
    half = len(seen) // 2
    mean = torch.cat([batch, table[seen]]).exp().mean(0)
    expected = 0.0
    for i, j in zip(seen[:half], seen[half:], strict=True):
        assert j in COMPANIONS[i]
        ratio = sum(table[i, k].exp() * table[j, k].exp() / mean[k] for k in range(K))
        expected -= log(ratio) / half
    assert found == pytest.approx(expected, rel=1e-4)


def test_rows_and_companions_are_drawn_evenly() -> None:
    must_link, counts, n = MustLink(ROWS, GROUPS), torch.zeros(8, 8), 2_000
    rows = must_link.x.flatten().long()
    for _ in range(n):
        one, other = rows[must_link.pairs()]
        counts.index_put_((one, other), torch.ones(()), accumulate=True)
    expected = torch.zeros(8, 8)
    for i, companions in COMPANIONS.items():
        expected[i, list(companions)] = n / len(companions)  # as many pairs a draw as linked rows
    assert counts[expected == 0].sum() == 0
    z = (counts - expected)[expected > 0] / expected[expected > 0].sqrt()
    assert z.abs().max() < 5


def test_encoder_rows_are_bounded() -> None:
    assert MustLink(torch.zeros(500, 1), torch.zeros(500, dtype=torch.long)).pairs().numel() == 64


def test_one_cluster_for_all_gains_nothing_and_even_ones_the_most() -> None:
    """The bare probability of a common cluster would be 1 in both."""
    must_link = MustLink(torch.arange(4.0), torch.tensor([0, 0, 1, 1]))
    batch = torch.arange(4).repeat(1_000)
    for cluster, gain in ((torch.zeros(4).long(), 0.0), (torch.tensor([0, 0, 1, 1]), log(2))):
        certain = (1e3 * torch.eye(2)[cluster]).log_softmax(-1)
        found = must_link.penalty(lambda x, log_r=certain: log_r[x.long()], certain[batch])
        assert -found.item() == pytest.approx(gain, abs=2e-3)


@pytest.mark.parametrize("method", METHODS)
def test_loss_is_minus_the_elbo_and_the_factor_in_training_alone(method: str) -> None:
    gmvae, x = small_gmvae(method), binary_data()
    keys = gmvae.state_dict().keys()
    gmvae.train().link(MustLink(binary_data(6), torch.tensor([0, 0, 1, 1, 1, -1]), strength=3.0))
    terms = ELBO.terms(gmvae.model, gmvae.guide, x)
    torch.testing.assert_close(terms.loss.detach(), -sum(terms.sites.values(), torch.zeros(())))
    assert MUST_LINK in terms.sites
    assert gmvae.state_dict().keys() == keys  # data are no weights
    gmvae.eval()
    assert MUST_LINK not in ELBO.terms(gmvae.model, gmvae.guide, x).sites
    gmvae.train().link(None)
    assert MUST_LINK not in ELBO.terms(gmvae.model, gmvae.guide, x).sites


def test_every_datum_bears_the_same_and_the_batch_does_not_scale_it() -> None:
    certain = torch.zeros(4, 1)
    must_link = MustLink(ROWS, GROUPS, strength=5.0)
    with pyro.poutine.trace() as traced, pyro.plate("data", 4):
        must_link(lambda x: (x @ torch.tensor([[1.0, -1.0]])).log_softmax(-1), certain.expand(4, 2))
    cost = traced.trace.nodes[MUST_LINK]["fn"].log_factor
    assert cost.shape == (4,)
    assert cost.unique().numel() == 1


@pytest.mark.parametrize("method", METHODS)
def test_reaches_the_responsibilities_that_the_method_uses(method: str) -> None:
    """A few steps by the factor alone part two groups, whatever their rows look like."""
    gmvae, x = small_gmvae(method), torch.eye(D)[:4]
    gmvae.train().link(MustLink(x, torch.tensor([0, 1, 0, 1])))
    guide, optimizer = gmvae.guide, torch.optim.Adam(gmvae.parameters(), 5e-2)

    def penalty() -> Tensor:
        return gmvae.must_link.penalty(guide.log_responsibilities, guide.log_responsibilities(x))

    def mean_penalty() -> float:  # the marginal method draws its responsibilities
        with torch.no_grad():
            return sum(penalty().item() for _ in range(50)) / 50

    before = mean_penalty()
    for _ in range(150):
        optimizer.zero_grad()
        penalty().backward()
        assert all(p.grad is None for p in gmvae.model.decoder.parameters())
        optimizer.step()
    assert mean_penalty() < before - 0.3


def test_no_gradient_flows_through_the_mean() -> None:
    """So that links move nobody but the linked."""
    batch = torch.randn(B, K, requires_grad=True)
    linked = torch.randn(8, K, requires_grad=True)
    MustLink(ROWS, GROUPS).penalty(
        lambda x: linked.log_softmax(-1)[x.flatten().long()], batch.log_softmax(-1)
    ).backward()
    assert batch.grad is None
    assert linked.grad is not None and (linked.grad[[1, 4, 7]] == 0).all()


@pytest.mark.parametrize(
    ("method", "backend"), [("sparse", "inductor"), ("marginal", lambda graph, given: graph)]
)
def test_compiled_equals_eager(method: str, backend: Any) -> None:
    """Raw grey levels, that each step binarises anew."""
    gmvae, x = small_gmvae(method, input_dim=(1, 2, 3)), binary_data(B, 1, 2, 3)
    raw = torch.randint(0, 256, (7, 1, 2, 3)).to(torch.uint8)
    scale = ImageEncoding((1, 2, 3), "dynamic")
    gmvae.train().link(MustLink(raw, GROUPS[:7], transform=scale))
    assert not any("must_link" in name for name in gmvae.state_dict())
    with pyro.settings.context(module_local_params=True), pyro.validation_enabled(False):
        captured = CapturedELBO(ELBO, gmvae.model, gmvae.guide, backend=backend)
        found = []
        for terms in (captured, lambda *a: ELBO.terms(gmvae.model, gmvae.guide, *a)):
            torch.manual_seed(3)
            given = terms(x, None)
            found.append((given.sites[MUST_LINK], flat_gradients(given.loss, gmvae)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)


def test_networks_in_bfloat16() -> None:
    gmvae, x = small_gmvae("exact"), binary_data()
    gmvae.train().link(MustLink(binary_data(4), torch.tensor([0, 0, 1, 1])))
    found = []
    for _ in range(2):
        torch.manual_seed(1)
        found.append(ELBO.terms(gmvae.model, gmvae.guide, x).sites[MUST_LINK])
        with autocast_networks(gmvae):
            torch.manual_seed(1)
            found.append(ELBO.terms(gmvae.model, gmvae.guide, x).sites[MUST_LINK])
    assert found[0] == found[2] != found[1] == found[3]
    assert found[1].dtype == torch.float32
    torch.testing.assert_close(found[1], found[0], rtol=0.05, atol=0.5)


def test_covariates_go_with_their_rows() -> None:
    def log_r(x: Tensor, *covariates: Tensor) -> Tensor:
        assert torch.equal(x.flatten(), covariates[0])
        assert torch.equal(-x, covariates[1])
        return torch.zeros(len(x), K).log_softmax(-1)

    must_link = MustLink(ROWS, GROUPS, covariates=(ROWS.flatten(), -ROWS))
    assert must_link.penalty(log_r, torch.zeros(B, K).log_softmax(-1)) == pytest.approx(0, abs=1e-6)


def test_a_copy_has_its_own_rows() -> None:
    gmvae = small_gmvae("exact")
    gmvae.link(MustLink(binary_data(8), GROUPS))
    copied = copy.deepcopy(gmvae)
    assert copied.must_link.x.data_ptr() != gmvae.must_link.x.data_ptr()


def test_refusals() -> None:
    with pytest.raises(InputError, match="there are 8 groups for 7 rows: give one for each row"):
        MustLink(ROWS[:7], GROUPS)
    with pytest.raises(InputError, match="no group has two rows to train with: give rows that"):
        MustLink(ROWS, torch.where(GROUPS >= 0, torch.arange(8), -1))
    with pytest.raises(ValueError, match="strength must be above 0, got 0"):
        MustLink(ROWS, GROUPS, strength=0)


def test_linked_for_as_long_as_it_lasts() -> None:
    gmvae, x = small_gmvae("exact"), binary_data(8)
    before = MustLink(binary_data(4), torch.tensor([0, 0, 1, 1]))
    gmvae.link(before)
    with must_linked(gmvae, x, GROUPS, covariates=(ROWS,), transform=torch.neg):
        assert gmvae.must_link is not before
        assert torch.equal(gmvae.must_link.x, x[[2, 5, 0, 3, 6]])
        assert gmvae.must_link.transforms == (torch.neg,)
        assert gmvae.must_link.covariate_0.flatten().tolist() == [2, 5, 0, 3, 6]
    assert gmvae.must_link is before
    with must_linked(gmvae, x, None):
        assert gmvae.must_link is before
    with pytest.raises(ZeroDivisionError), must_linked(gmvae, x, GROUPS):
        raise ZeroDivisionError
    assert gmvae.must_link is before


def test_groups_that_tell_nothing_link_nothing() -> None:
    gmvae = small_gmvae("exact")
    with (
        pytest.raises(InputError, match="no group has two rows to train with"),
        must_linked(gmvae, binary_data(8), torch.arange(8)),
    ):
        pytest.fail("it is not entered")
    assert gmvae.must_link is None
    check_must_link(GROUPS, 8)
    with pytest.raises(InputError, match="there are 8 groups for 9 rows"):
        check_must_link(GROUPS, 9)
