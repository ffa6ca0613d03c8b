"""Clusters that come back, on clusterings whose answer is known."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import cluster_stability
from pyro_gmvae.evaluation.resampling import best_jaccard

LABELS = torch.arange(60) % 3


def test_the_best_match_is_found_under_any_name_and_may_serve_two() -> None:
    assert best_jaccard(LABELS, torch.tensor([2, 0, 1])[LABELS], 3).tolist() == [1, 1, 1]
    merged = torch.tensor([0, 0, 5])[LABELS]
    assert best_jaccard(LABELS, merged, 3).tolist() == pytest.approx([1 / 2, 1 / 2, 1])
    assert best_jaccard(merged, LABELS, 7).tolist() == pytest.approx([1 / 2, 0, 0, 0, 0, 1, 0])


def test_the_report_has_the_numbers_of_the_first_and_no_empty_cluster() -> None:
    """Cluster 0 of 40 comes back once and is halved once, 2 of 20 always comes back."""
    labels = torch.where(LABELS == 2, 2, 0)
    halved = torch.where(LABELS == 2, 1, 2 * (LABELS == 0))
    found = cluster_stability(labels, [halved, labels], 4)
    assert found.jaccard.shape == (2, 4) and found.ari[1] == 1 and found.ari[0] < 0.7
    report = found.to_dict()
    assert (report["n"], report["resamples"]) == (60, 2)
    assert report["mean_ari"] == pytest.approx((1 + found.ari[0].item()) / 2)
    verdicts = [tuple(c.values()) for c in report["clusters"]]
    assert verdicts == [(0, 40, 0.75, 0.5, "stable"), (2, 20, 1.0, 1.0, "stable")]


def test_without_a_resample_there_is_nothing_to_say() -> None:
    with pytest.raises(InputError, match="make one or more"):
        cluster_stability(LABELS, [], 3)
