"""What clusterings have in common, on ones whose answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import consensus, pairwise_ari, stability
from pyro_gmvae.evaluation.stability import aligned, jaccard

LABELS = torch.arange(60) % 3


def certain(labels: Tensor, k: int = 3) -> Tensor:
    return one_hot(labels, k).double()


def renamed(labels: Tensor, *names: int) -> Tensor:
    return torch.tensor(names)[labels]


def test_the_same_clusters_under_other_names_agree_in_full() -> None:
    names = [(0, 1, 2), (2, 0, 1), (1, 2, 0)]
    found = stability([certain(renamed(LABELS, *n)) for n in names])
    torch.testing.assert_close(found.pairwise_ari, torch.ones(3, 3).double())
    assert (found.jaccard == 1).all() and (found.agreement == 1).all()
    assert found.alive.tolist() == [3, 3, 3]
    report = found.to_dict()
    assert (report["mean_ari"], report["certain"]) == (1, 1)
    assert [c["verdict"] for c in report["clusters"]] == ["stable"] * 3


def test_one_cluster_that_another_run_splits() -> None:
    """Runs of different K: 0 is split in half by one of two."""
    split = LABELS.clone()
    split[LABELS == 0] = torch.tensor([0, 3]).repeat(10)
    found = stability([certain(LABELS), certain(split, 4), certain(LABELS)])
    assert found.consensus.shape == (60, 4)
    assert found.alive.tolist() == [3, 4, 3]
    assert found.agreement[LABELS != 0].eq(1).all()
    assert found.agreement[LABELS == 0].mean().item() == pytest.approx(5 / 6)
    assert found.jaccard.sort(descending=True).values.tolist() == pytest.approx([1, 1, 5 / 6, 0])
    assert found.pairs.max() == 1 and found.pairs.min() < 0.9


def test_random_clusterings_agree_by_chance_alone() -> None:
    torch.manual_seed(0)
    found = stability([certain(torch.randint(3, (600,))) for _ in range(3)])
    assert found.pairs.abs().max() < 0.02
    assert {c["verdict"] for c in found.to_dict()["clusters"]} == {"unstable"}


def test_consensus_is_the_mean_of_what_is_matched() -> None:
    torch.manual_seed(0)
    q = torch.rand(40, 3).double().softmax(-1) + 4 * certain(LABELS[:40])
    q /= q.sum(-1, keepdim=True)
    mean, matched = consensus([q, q[:, [2, 0, 1]]])
    torch.testing.assert_close(mean, q)
    assert all(torch.equal(each, q) for each in matched)


def test_alignment_and_jaccard() -> None:
    other = renamed(LABELS, 1, 2, 0)
    assert torch.equal(aligned(certain(other), certain(LABELS)), certain(LABELS))
    first, second = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    assert jaccard(first, second, 3).tolist() == pytest.approx([1 / 2, 2 / 3, 0])
    table = pairwise_ari([first, first])
    assert table.tolist() == [[1, 1], [1, 1]]


def test_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="give two or more"):
        stability([certain(LABELS)])
    with pytest.raises(InputError, match="different data"):
        stability([certain(LABELS), certain(LABELS[:5])])
