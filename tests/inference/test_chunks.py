"""Clusters summed a few at a time: the same sum, in the memory of a few."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.memory import bytes_saved
from pyro_gmvae.models import GMVAE
from tests.helpers.small import CONV, B, Z, binary_data, fix_noise, flat_gradients, small_gmvae

K = 7


def elbo_of(chunk_size: int | None, **options: object) -> TraceEnumMeanField_ELBO:
    return TraceEnumMeanField_ELBO(max_plate_nesting=1, chunk_size=chunk_size, **options)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("chunk_size", [1, 2, 3, K, K + 1])
def test_the_sum_over_chunks_is_the_sum(
    chunk_size: int, labelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix_noise(monkeypatch, torch.randn(B, Z))
    gmvae = small_gmvae("exact", K, learn_mixture=True)
    gmvae.weights.set(kl_weight=0.3, z_kl_weight=0.7)
    args = (binary_data(), torch.tensor([0, -1, 5, -1]))[: 1 + labelled]
    whole = elbo_of(None).terms(gmvae.model, gmvae.guide, *args)
    chunked = elbo_of(chunk_size).terms(gmvae.model, gmvae.guide, *args)
    torch.testing.assert_close(chunked.loss, whole.loss)
    torch.testing.assert_close(chunked.sites, whole.sites)
    # Scaled, as a trainer does: the gradient has to go through the loss that was handed on.
    torch.testing.assert_close(
        flat_gradients(chunked.loss / B, gmvae), flat_gradients(whole.loss / B, gmvae)
    )
    with torch.no_grad():
        ungraded = elbo_of(chunk_size).terms(gmvae.model, gmvae.guide, *args)
    torch.testing.assert_close(ungraded.loss, whole.loss.detach())


def test_convolutions_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    fix_noise(monkeypatch, torch.randn(B, Z))
    gmvae = small_gmvae("exact", K, **CONV)
    x = binary_data(B, *gmvae.event_shape)
    whole, chunked = (elbo_of(n).terms(gmvae.model, gmvae.guide, x) for n in (None, 3))
    torch.testing.assert_close(chunked.loss, whole.loss)
    torch.testing.assert_close(
        flat_gradients(chunked.loss, gmvae), flat_gradients(whole.loss, gmvae)
    )


def test_particles_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    fix_noise(monkeypatch, torch.randn(B, Z))
    gmvae, x = small_gmvae("exact", K), binary_data()
    losses = [
        elbo_of(n, num_particles=3, vectorize_particles=True).terms(gmvae.model, gmvae.guide, x)
        for n in (None, 3)
    ]
    torch.testing.assert_close(losses[0].loss, losses[1].loss)


def test_what_model_and_guide_share_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fix_noise(monkeypatch, torch.randn(B, Z))
    gmvae, x = small_gmvae("exact", K), binary_data()
    gmvae.guide.tied = gmvae.model.decoder
    whole, chunked = (elbo_of(n).terms(gmvae.model, gmvae.guide, x) for n in (None, 3))
    torch.testing.assert_close(
        flat_gradients(chunked.loss, gmvae), flat_gradients(whole.loss, gmvae)
    )


def test_counting_the_chunks_draws_nothing() -> None:
    gmvae, x = small_gmvae("exact", K), binary_data()
    state = torch.get_rng_state()
    chunks = elbo_of(3).chunks(gmvae.model, gmvae.guide, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert [len(rows) for rows in chunks] == [3, 2, 2]


def test_memory_is_that_of_a_chunk() -> None:
    """What a step keeps for its gradient, at K = 200 in chunks against K = 10 at once."""

    def kept(gmvae: GMVAE, rows: torch.Tensor | None) -> int:
        elbo, x = elbo_of(None), binary_data(64)
        return bytes_saved(
            lambda: elbo.partial_terms(gmvae.model, gmvae.guide, rows, x).loss, gmvae
        )

    few, many = (small_gmvae("exact", k, hidden=(32, 32)) for k in (10, 200))
    assert kept(many, None) > 10 * kept(few, None)
    assert kept(many, torch.arange(10)) <= 2 * kept(few, None)


@pytest.mark.parametrize("method", ["concrete", "sparse", "marginal"])
def test_only_a_whole_support_has_chunks(method: str) -> None:
    gmvae = small_gmvae(method, K)
    with pytest.raises(ValueError, match="whole support"):
        elbo_of(2).terms(gmvae.model, gmvae.guide, binary_data())


def test_chunks_need_modules() -> None:
    gmvae = small_gmvae("exact", K)
    with pytest.raises(ValueError, match="modules"):
        elbo_of(2).terms(lambda x: gmvae.model(x), gmvae.guide, binary_data())


@pytest.mark.parametrize("chunk_size", [0, -2])
def test_no_chunks_of_nothing(chunk_size: int) -> None:
    with pytest.raises(ValueError, match="chunk_size must be at least 1"):
        elbo_of(chunk_size)
