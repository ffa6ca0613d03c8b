"""Clusters that are known with certainty or not: drawn rightly, and refused where they are none."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.training import initialize
from pyro_gmvae.training.known import check_known, drawn_labels
from tests.helpers.tiny import blobs, quick, tiny

N = 20_000


def test_labels_are_drawn_with_the_probabilities_given() -> None:
    probabilities = torch.tensor([[0.0, 0.2, 0.5, 0.3], [0.0, 0.0, 1.0, 0.0]])
    drawn = drawn_labels(probabilities.repeat_interleave(N, 0)).reshape(2, N)
    shares = torch.stack([each.bincount(minlength=4) / N for each in drawn])
    within = 4 * (probabilities * (1 - probabilities) / N).sqrt()  # standard errors; 0 where sure
    assert ((shares - probabilities).abs() <= within).all()


def test_labels_stay_as_they_are() -> None:
    labels = torch.tensor([2, -1, 0])
    assert drawn_labels(labels) is labels


@pytest.mark.parametrize("method", ["exact", "sparse"])
def test_responsibilities_go_into_the_model_and_come_out(method: str) -> None:
    """Rows of the same blob have the same ones, so that x tells them in full."""
    x, blob = blobs(240)
    given = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])[blob]
    gmvae = tiny(method, seed=1)
    initialize(gmvae, x, given, quick(batch_size=6))
    found = gmvae.responsibilities(x)
    assert (found.argmax(-1) == given.argmax(-1)).all()
    assert (found - given).abs().mean() < 0.05


def test_the_marginal_method_takes_over_the_likeliest() -> None:
    """Its components have to overlap for p(y|z) to be unsure, which takes it longer."""
    x, blob = blobs(240)
    given = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])[blob]
    gmvae = tiny("marginal", seed=1)
    initialize(gmvae, x, given, quick(batch_size=3, learning_rate=2e-2))
    assert (gmvae.responsibilities(x).argmax(-1) == blob).float().mean() > 0.95


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (torch.zeros(4, dtype=torch.long), r"integers of shape \(5,\)"),
        (torch.zeros(5, 2), r"responsibilities of shape \(5, 3\)"),
        (torch.tensor([0, 1, 2, 3, 0]), "label 3 has no cluster"),
        (torch.full((5, 3), 0.5), "probabilities"),
        (torch.tensor([[1.5, -0.5, 0.0]]).expand(5, 3), "probabilities"),
        (torch.full((5, 3), torch.nan), "probabilities"),
    ],
)
def test_what_is_no_clustering_of_five_rows(known: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_known(known, 5, 3)
