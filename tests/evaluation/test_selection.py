"""The choice between numbers of clusters, on clusterings whose answer is known."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import Candidate, select
from tests.evaluation.test_stability import LABELS, renamed

RUNS, N = 3, 400


def split_at_random(labels: Tensor, seed: int) -> Tensor:
    """One more cluster: cluster 0 cut into halves, as nothing in the data says."""
    halves = torch.randint(2, labels.shape, generator=torch.Generator().manual_seed(seed))
    return torch.where((labels == 0) & (halves == 1), labels.max() + 1, labels)


def cut() -> list[Tensor]:
    return [split_at_random(LABELS, seed) for seed in range(RUNS)]


def at_random(k: int) -> list[Tensor]:
    return list(torch.randint(k, (RUNS, 60), generator=torch.Generator().manual_seed(k)))


def merged(labels: Tensor) -> Tensor:
    return labels.clamp(max=1)


def candidate(k: int, clusters: list[Tensor], level: float = 0.0) -> Candidate:
    """Runs that predict ``level`` better than 0, all with the same noise of the data."""
    noise = torch.randn(RUNS, N, generator=torch.Generator().manual_seed(0)).double()
    return Candidate(k, level + noise, torch.stack(clusters))


def candidates(**levels: float) -> list[Candidate]:
    """Three clusters in truth: two of them merged, found again in all runs, one cut at random."""
    return [
        candidate(2, [merged(LABELS)] * RUNS, levels.get("two", 0.0)),
        candidate(3, [renamed(LABELS, *names) for names in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]]),
        candidate(4, cut()),
    ]


def test_the_most_clusters_that_are_found_again() -> None:
    selection = select(candidates())
    assert selection.n_clusters == 3 and selection.sure
    two, three, four = selection.candidates
    assert (two.found_again, three.found_again, four.found_again) == (2, 3, 2)
    assert two.found_again_error == 0 and three.ari == 1
    # Halves cut at random share a third of what either has.
    for index in four.recurrence:
        torch.testing.assert_close(index[1:3], torch.ones(2).double())
        assert (index[[0, 3]] < 0.6).all()


def test_not_where_others_predict_better() -> None:
    assert select(candidates(two=3.0)).n_clusters == 2


def test_doubts_where_nothing_is_found_again() -> None:
    selection = select([candidate(k, at_random(k)) for k in (2, 3)])
    assert not selection.sure
    assert "No clusters are found again" in selection.doubts[0]


def test_doubts_where_more_was_not_tried() -> None:
    selection = select(candidates()[:2])
    assert selection.n_clusters == 3
    assert selection.doubts == (
        "3 is the largest number that was tried: there may be more clusters.",
    )


def test_doubts_where_another_number_does_as_well() -> None:
    few = torch.where(torch.arange(60) < 9, 3, LABELS)  # too few to be missed by the others
    selection = select([candidates()[0], candidate(4, [LABELS, few, LABELS])])
    assert selection.n_clusters == 2
    assert selection.doubts == (
        "Other numbers are about as good: 4 clusters (3.0 found again). Take more runs.",
    )


def test_doubts_where_some_are_not_found_again() -> None:
    selection = select([candidate(4, cut()), candidate(5, at_random(5))])
    assert "Only 2.0 of 4 clusters are found again: rely on these only." in selection.doubts


def test_empty_clusters_are_told() -> None:
    selection = select([candidate(7, [LABELS] * RUNS), candidate(9, cut())])
    assert selection.n_clusters == 7
    assert "Only 3.0 of 7 clusters have members." in selection.doubts


def test_the_difference_to_the_best_against_numpy() -> None:
    log_p = {k: torch.randn(RUNS, N).double() * 0.1 + torch.randn(N) - k for k in (2, 3)}
    two, three = (Candidate(k, p, torch.stack([LABELS % k] * RUNS)) for k, p in log_p.items())
    behind, error = select([three, two]).behind.T[1].tolist()
    gap = (log_p[2].mean(0) - log_p[3].mean(0)).numpy()
    by_run = sum(p.mean(1).numpy().var(ddof=1) / RUNS for p in log_p.values())
    assert behind == pytest.approx(gap.mean())
    assert error == pytest.approx((gap.var(ddof=1) / N + by_run) ** 0.5)
    assert select([three, two]).behind.T[0].tolist() == [0, 0]


def test_figures_as_json_are_in_order() -> None:
    figures = select(candidates()[::-1]).to_dict()
    numbers = [row["clusters"] for row in figures["candidates"]]
    assert all(a < b for a, b in pairwise(numbers))
    assert figures["n_clusters"] == 3 and figures["sure"] and figures["doubts"] == []


def test_errors() -> None:
    with pytest.raises(InputError, match="two runs"):
        Candidate(2, torch.zeros(1, 5), torch.zeros(1, 5, dtype=torch.long))
    two, three, _ = candidates()
    with pytest.raises(InputError, match="two or more different"):
        select([three])
    with pytest.raises(InputError, match="two or more different"):
        select([three, three])
    other = Candidate(5, three.log_p[:, :-1], three.clusters)
    with pytest.raises(InputError, match="different data"):
        select([two, other])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_likelihood_that_is_no_number_is_refused(value: float) -> None:
    log_p = torch.zeros(RUNS, N)
    log_p[1, 7] = value
    with pytest.raises(InputError, match="a run of 3 clusters gives some held-out rows no finite"):
        Candidate(3, log_p, torch.stack([LABELS] * RUNS))
