"""Semi-supervision: y as one-hot values, or as labels of which some are missing."""

from __future__ import annotations

import pytest
import torch
from pyro.infer import Trace_ELBO

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import METHODS
from pyro_gmvae.models.labels import (
    check_label_rows,
    drawn_labels,
    is_labels,
    label_log_evidence,
    label_log_prob,
    pin_logits,
)
from tests.helpers.small import B, K, Z, binary_data, fix_noise, flat_gradients, small_gmvae

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)
LABELS = torch.tensor([2, 0, 1, 1])
WITH_Y = ["exact", "concrete", "sparse"]
N = 20_000


def test_is_labels() -> None:
    assert is_labels(LABELS)
    assert not is_labels(torch.eye(K))
    assert not is_labels(None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pinned_logits(dtype: torch.dtype) -> None:
    logits = 10 * torch.randn(2, K, dtype=dtype)
    pinned = pin_logits(logits, torch.tensor([1, -1]))
    assert pinned.softmax(-1)[0].tolist() == [0, 1, 0]
    assert torch.equal(pinned[1], logits[1])


def test_label_terms() -> None:
    y, labels = torch.eye(K), torch.tensor([0, 2, -1])
    evidence = label_log_evidence(y, labels)
    assert evidence[0] == 0
    assert evidence[1] < -80
    assert evidence[2] == 0
    logits = torch.randn(3, K)
    log_q = label_log_prob(logits, labels)
    torch.testing.assert_close(log_q[:2], logits.log_softmax(-1)[[0, 1], [0, 2]])
    assert log_q[2] == 0


@pytest.mark.parametrize("method", WITH_Y)
@pytest.mark.parametrize("weight", [0.0, 2.5])
def test_labels_are_one_hot_values_and_a_classifier(
    method: str, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    gmvae = small_gmvae(method, label_weight=weight, learn_mixture=True)
    x, y = binary_data(), torch.eye(K)[LABELS]
    fix_noise(monkeypatch, torch.randn(B, Z))
    by_label = ELBO.terms(gmvae.model, gmvae.guide, x, LABELS)
    by_value = ELBO.terms(gmvae.model, gmvae.guide, x, y)
    log_q = gmvae.responsibilities(x)[range(B), LABELS].log().sum()
    torch.testing.assert_close(by_label.loss, by_value.loss - weight * log_q)
    for site in ("x", "y", "z"):
        torch.testing.assert_close(by_label.sites[site], by_value.sites[site])
    torch.testing.assert_close(
        flat_gradients(by_label.loss, gmvae),
        flat_gradients(by_value.loss - weight * log_q, gmvae),
        atol=1e-4,
        rtol=1e-4,
    )


def test_labels_in_the_marginal_method(monkeypatch: pytest.MonkeyPatch) -> None:
    gmvae = small_gmvae("marginal", learn_mixture=True)
    x, y = binary_data(), torch.eye(K)[LABELS]
    fix_noise(monkeypatch, torch.randn(B, Z))
    by_label = ELBO(gmvae.model, gmvae.guide)(x, LABELS)
    # log p(z|y) - log q(z) at the draw, as Trace_ELBO has it (ours takes the closed form there).
    by_value = Trace_ELBO()(gmvae.model, gmvae.guide)(x, y)
    torch.testing.assert_close(by_label, by_value)


@pytest.mark.parametrize("method", METHODS)
def test_no_labels_is_no_y(method: str) -> None:
    gmvae = small_gmvae(method)
    x = binary_data()
    losses = []
    for y in (None, torch.full((B,), -1)):
        torch.manual_seed(1)
        losses.append(ELBO(gmvae.model, gmvae.guide)(x, y))
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize("method", ["exact", "sparse", "marginal"])
def test_each_datum_pays_its_own_loss(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # With two of three clusters summed the sparse method draws the third: no noise is left in y.
    options = {"n_likeliest": 2, "drawn_share": 1.0} if method == "sparse" else {}
    gmvae = small_gmvae(method, **options)
    x, labels, noise = binary_data(), torch.tensor([2, 0, -1, -1]), torch.randn(B, Z)
    elbo = ELBO(gmvae.model, gmvae.guide)
    fix_noise(monkeypatch, noise)
    together = elbo(x, labels)
    fix_noise(monkeypatch, noise[:2])
    labelled = elbo(x[:2], labels[:2])
    fix_noise(monkeypatch, noise[2:])
    torch.testing.assert_close(together, labelled + elbo(x[2:]))


def test_refused_with_a_relaxed_density() -> None:
    gmvae = small_gmvae("concrete", kl="relaxed")
    with pytest.raises(ValueError, match="known clusters need kl"):
        gmvae.guide(binary_data(2, *gmvae.event_shape), torch.tensor([0, -1]))
    with pytest.raises(ValueError, match="known clusters need kl"):
        gmvae.guide(binary_data(2, *gmvae.event_shape), torch.eye(K)[:2])


def test_a_label_counts_however_unlikely_its_cluster() -> None:
    # Two clusters 20 apart, every row at the one and labelled with the other.
    losses = {}
    for method in ("exact", "marginal"):
        torch.manual_seed(0)
        gmvae = METHODS[method](3, 2, 1, hidden=(4,))
        with torch.no_grad():
            gmvae.model.component_loc.copy_(torch.tensor([[0.0], [20.0]]))
            for parameter in gmvae.guide.z_head.parameters():
                parameter.zero_()  # q(z|x, y) is a normal at 0 for all
        loss = TraceEnumMeanField_ELBO(max_plate_nesting=1)(gmvae.model, gmvae.guide)(
            binary_data(2000, 3), torch.ones(2000, dtype=torch.long)
        )
        (gradient,) = torch.autograd.grad(loss, gmvae.model.component_loc)
        losses[method] = gradient[1, 0] / 2000
    assert losses["exact"] > 15
    torch.testing.assert_close(losses["marginal"], losses["exact"], rtol=0.02, atol=0)


def test_labels_are_drawn_with_the_probabilities_given() -> None:
    probabilities = torch.tensor([[0.0, 0.2, 0.5, 0.3], [0.0, 0.0, 1.0, 0.0]])
    drawn = drawn_labels(probabilities.repeat_interleave(N, 0)).reshape(2, N)
    shares = torch.stack([each.bincount(minlength=4) / N for each in drawn])
    within = 4 * (probabilities * (1 - probabilities) / N).sqrt()  # standard errors; 0 where sure
    assert ((shares - probabilities).abs() <= within).all()


def test_labels_stay_as_they_are() -> None:
    labels = torch.tensor([2, -1, 0])
    assert drawn_labels(labels) is labels


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
        check_label_rows(known, 5, 3)
