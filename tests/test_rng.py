"""Draws of one's own leave the global generators as they were."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.rng import forked_rng


def test_the_same_seed_draws_the_same_and_nothing_is_noticed() -> None:
    torch.manual_seed(1)
    expected = torch.randn(3)
    torch.manual_seed(1)
    with forked_rng(torch.device("cpu"), seed=5):
        first = torch.randn(3)
    with forked_rng(seed=5):
        assert torch.equal(torch.randn(3), first)
    assert torch.equal(torch.randn(3), expected)


def test_without_a_seed_they_go_on_and_are_put_back() -> None:
    torch.manual_seed(1)
    with forked_rng():
        inside = torch.randn(3)
    assert torch.equal(torch.randn(3), inside)


def test_they_are_put_back_after_a_failure() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), forked_rng(seed=0):
        torch.randn(1 // 0)
    assert torch.equal(torch.get_rng_state(), before)
