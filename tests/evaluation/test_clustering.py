from math import log

import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import cluster_usage, clustering_scores


def test_uniform_responsibilities_say_nothing() -> None:
    usage = cluster_usage(torch.full((6, 4), 0.25))
    assert usage.entropy_y == pytest.approx(log(4))
    assert usage.entropy_y_given_x == pytest.approx(log(4))
    assert usage.mutual_information == pytest.approx(0.0, abs=1e-12)


def test_certain_and_even_clusters_say_all() -> None:
    usage = cluster_usage(torch.eye(5).repeat(3, 1))
    assert usage.clusters_in_use == 5
    assert usage.entropy_y == pytest.approx(log(5))
    assert usage.entropy_y_given_x == 0
    assert usage.mutual_information == pytest.approx(log(5))


def test_collapse_is_seen() -> None:
    usage = cluster_usage(torch.tensor([[0.0, 1.0, 0.0]]).repeat(7, 1))
    assert (usage.clusters_in_use, usage.entropy_y, usage.mutual_information) == (1, 0, 0)
    torch.testing.assert_close(usage.share, torch.tensor([0.0, 1.0, 0.0]))
    assert cluster_usage(torch.ones(2, 1)).clusters_in_use == 1


def test_closed_form_of_a_mixed_case() -> None:
    usage = cluster_usage(torch.tensor([[0.9, 0.1], [0.5, 0.5]], dtype=torch.float64))
    h_y = -(0.7 * log(0.7) + 0.3 * log(0.3))
    h_y_given_x = (-(0.9 * log(0.9) + 0.1 * log(0.1)) + log(2)) / 2
    assert usage.entropy_y == pytest.approx(h_y)
    assert usage.mutual_information == pytest.approx(h_y - h_y_given_x)


def test_permuted_labels_are_perfect() -> None:
    labels = torch.arange(200) % 7
    scores = clustering_scores(labels, torch.randperm(7)[labels])
    found = (scores.accuracy, scores.purity, scores.nmi, scores.ari)
    assert found == pytest.approx((1, 1, 1, 1))


@pytest.mark.parametrize(
    ("labels", "clusters", "accuracy", "purity"),
    [
        ([0, 0, 0, 0, 1, 1], [2, 2, 3, 4, 0, 0], 4 / 6, 1),  # more clusters than classes
        ([0, 1, 2, 3, 3], [0, 0, 0, 1, 1], 3 / 5, 3 / 5),  # fewer
        ([5, 5, 9, 9], [1, 1, 1, 1], 1 / 2, 1 / 2),  # one
        ([0, 0, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1], 3 / 6, 4 / 6),  # one class leads in both
    ],
)
def test_accuracy_and_purity_by_hand(
    labels: list[int], clusters: list[int], accuracy: float, purity: float
) -> None:
    scores = clustering_scores(torch.tensor(labels), torch.tensor(clusters))
    assert (scores.accuracy, scores.purity) == pytest.approx((accuracy, purity))


def test_missing_labels_are_left_out() -> None:
    scores = clustering_scores(torch.tensor([0, -1, 1, -1]), torch.tensor([1, 1, 0, 0]))
    assert (scores.accuracy, scores.n_labelled) == (1.0, 2)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="2 labels for 3 data"):
        clustering_scores(torch.zeros(2).long(), torch.zeros(3).long())
    with pytest.raises(InputError, match="no labels"):
        clustering_scores(torch.tensor([-1, -1]), torch.zeros(2).long())
    with pytest.raises(InputError, match="no data"):
        cluster_usage(torch.zeros(0, 3))
