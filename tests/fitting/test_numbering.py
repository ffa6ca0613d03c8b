"""Clusters are numbered as labels are, or by their sizes, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.fitting.numbering import number_as, number_by_size
from pyro_gmvae.models import METHODS
from tests.helpers.tiny import blobs, tiny

X, BLOB = blobs(90)


def certain(clusters: Tensor) -> Tensor:
    return one_hot(clusters, 3).float()


@torch.no_grad()
@pytest.mark.parametrize("method", METHODS)
def test_labels_name_the_clusters_that_most_of_their_rows_are_in(method: str) -> None:
    gmvae, names = tiny(method).eval(), torch.tensor([2, 0, 1])
    before = gmvae.responsibilities(X)
    # Label l is what was cluster names[l], but for a few rows.
    found = names[BLOB]
    found[:6] = 0
    number_as(BLOB, gmvae, certain(found))
    torch.testing.assert_close(gmvae.responsibilities(X), before[:, names])


@torch.no_grad()
def test_the_matching_is_one_to_one() -> None:
    gmvae = tiny().eval()
    before = gmvae.responsibilities(X)
    # All of label 1 and most of label 0 are in cluster 2: one of them takes an empty one.
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    number_as(labels, gmvae, certain(torch.tensor([2, 2, 0, 2, 2, 2, 2])))
    torch.testing.assert_close(gmvae.responsibilities(X), before[:, [0, 2, 1]])


@torch.no_grad()
@pytest.mark.parametrize("method", METHODS)
def test_the_largest_cluster_is_the_first_and_empty_ones_go_last(method: str) -> None:
    gmvae = tiny(method).eval()
    before = gmvae.responsibilities(X)
    number_by_size(gmvae, certain(torch.tensor([2, 2, 2, 1])))
    torch.testing.assert_close(gmvae.responsibilities(X), before[:, [2, 1, 0]])


@torch.no_grad()
def test_clusters_of_one_size_stay_in_order() -> None:
    gmvae = tiny().eval()
    before = gmvae.responsibilities(X)
    number_by_size(gmvae, certain(torch.tensor([0, 1, 2])))
    assert torch.equal(gmvae.responsibilities(X), before)
