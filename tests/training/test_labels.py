"""Labels for some of the data: semi-supervision is an argument of `fit`."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import fit
from tests.helpers.tiny import N_CLUSTERS, blobs, quick, same_weights, tiny, weights_of

N_LABELLED = 24
X, LABELS = blobs(150, width=1.0)
SOME = torch.where(torch.arange(150) < N_LABELLED, LABELS, -1)


def accuracy_of_the_rest(method: str, y: Tensor | None, *, match: bool) -> float:
    """Accuracy where no label was given; with the best naming of the clusters if ``match``."""
    gmvae = tiny(method, seed=1)
    fit(gmvae, X, quick(epochs=30, batch_size=50, learning_rate=2e-2), labels=y)
    predicted = gmvae.responsibilities(X)[N_LABELLED:].argmax(-1)
    names = permutations(range(N_CLUSTERS)) if match else [range(N_CLUSTERS)]
    true = LABELS[N_LABELLED:]
    return max((torch.tensor(n)[predicted] == true).float().mean().item() for n in names)


@pytest.mark.parametrize("method", ["exact", "concrete", "sparse"])
def test_a_few_labels_help_the_rest(method: str) -> None:
    ignored = accuracy_of_the_rest(method, None, match=True)
    used = accuracy_of_the_rest(method, SOME, match=False)
    assert used > ignored + 0.1
    assert used > 0.85


@pytest.mark.parametrize("method", METHODS)
def test_labels_are_in_the_record(method: str) -> None:
    record = fit(tiny(method), X, quick(epochs=1), labels=SOME).history[0]
    parts = {"log_likelihood": 1, "kl_z": -1, "kl_y": -1, "label": 1}
    total = sum(sign * record.get(name, 0.0) for name, sign in parts.items())
    assert record["elbo"] == pytest.approx(total)
    # It teaches q(y|x), and is no part of the bound.
    assert ("classifier" in record) is (method != "marginal")


@pytest.mark.parametrize("method", METHODS)
def test_labels_all_missing_are_no_labels(method: str) -> None:
    without, missing = tiny(method), tiny(method)
    fit(without, X, quick(epochs=1))
    fit(missing, X, quick(epochs=1), labels=torch.full((150,), -1))
    for ours, theirs in zip(without.parameters(), missing.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_label_without_a_cluster() -> None:
    gmvae = tiny()
    before = weights_of(gmvae)
    with pytest.raises(InputError, match="label 3 has no cluster: labels go from 0 to 2, -1"):
        fit(gmvae, X, quick(), labels=torch.where(SOME == 2, 3, SOME))
    assert same_weights(before, weights_of(gmvae))
