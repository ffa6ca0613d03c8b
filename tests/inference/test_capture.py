"""The compiled ELBO is the ELBO: same loss, same gradients, fresh noise, compiled once."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from pyro_gmvae.inference import CapturedELBO, CaptureError, TraceEnumMeanField_ELBO
from pyro_gmvae.models import (
    METHODS,
    ConcreteGMVAE,
    GenerativeModel,
    Regularizer,
)
from pyro_gmvae.networks import ConvSizes
from tests.helpers.same_elbo import assert_same
from tests.helpers.small import CONV, B, D, Z, binary_data, small_gmvae

pytestmark = pytest.mark.usefixtures("local_params", "no_validation", "unchecked_shapes")

LABELS = torch.tensor([0, -1, 2, -1])


def uncompiled(graph: GraphModule, given: list[Tensor]) -> GraphModule:
    """The graph as it was traced, run by torch."""
    return graph


def elbo_of(**options: object) -> TraceEnumMeanField_ELBO:
    return TraceEnumMeanField_ELBO(max_plate_nesting=1, **options)


@pytest.mark.parametrize(
    ("method", "options", "elbo_options", "labelled"),
    [
        *((m, {"learn_mixture": True}, {}, 0) for m in METHODS),
        ("sparse", {}, {}, 1),
        ("concrete", {"kl": "relaxed"}, {}, 0),
        ("exact", {}, {"num_particles": 2, "vectorize_particles": True}, 0),
        ("exact", {"n_components": 5}, {"chunk_size": 2}, 0),
        ("exact", {"likelihood": "gaussian_predicted"}, {}, 0),
        ("exact", CONV, {"chunk_size": 2}, 0),
        ("exact", {"likelihood": "discretized_logistic"}, {}, 0),
        ("concrete", {"likelihood": "discretized_logistic_mixture"}, {}, 0),
    ],
    ids=str,
)
def test_it_equals_the_uncompiled_elbo(
    method: str, options: dict, elbo_options: dict, labelled: int
) -> None:
    gmvae, elbo = small_gmvae(method, **options), elbo_of(**elbo_options)
    captured = CapturedELBO(elbo, gmvae.model, gmvae.guide, backend=uncompiled)
    args = (binary_data(B, *gmvae.event_shape), LABELS)[: 1 + labelled]
    assert_same(captured, gmvae, elbo, *args)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize(
    ("method", "options"),
    [
        pytest.param("concrete", {}, id="mlp"),
        pytest.param(
            "marginal",
            {**CONV, "conv": ConvSizes((8,), features=6)},
            id="conv",
            marks=pytest.mark.slow,  # half a minute of C++ compilation
        ),
    ],
)
def test_it_equals_the_uncompiled_elbo_through_inductor(method: str, options: dict) -> None:
    gmvae, elbo = small_gmvae(method, **options), elbo_of()
    x = binary_data(B, *gmvae.event_shape)
    assert_same(CapturedELBO(elbo, gmvae.model, gmvae.guide), gmvae, elbo, x)


class Shifted(GenerativeModel):
    """A user's model: the decoder's output is shifted by a covariate."""

    def p_x(self, z: Tensor, shift: Tensor | None = None) -> dist.TorchDistribution:
        output = self.decoder(z)
        return self.likelihood(output if shift is None else output + shift)


class ShiftedGMVAE(ConcreteGMVAE):
    model_class = Shifted


def test_a_users_subclass_and_networks() -> None:
    encoder = nn.Sequential(nn.Linear(D, 5), nn.BatchNorm1d(5), nn.Tanh())
    gmvae, elbo = ShiftedGMVAE(D, 3, Z, hidden=(5,), encoder=encoder), elbo_of()
    captured = CapturedELBO(elbo, gmvae.model, gmvae.guide, backend=uncompiled)
    x, shift = binary_data(), torch.randn(B, D)
    before = encoder[1].running_mean.clone()
    captured._capture_all((x, None, shift))
    assert torch.equal(encoder[1].running_mean, before)
    captured(x, None, shift)
    assert not torch.equal(encoder[1].running_mean, before)
    assert_same(captured, gmvae, elbo, x, None, shift)


def test_noise_is_fresh_and_follows_the_seed() -> None:
    gmvae = small_gmvae("sparse")
    captured = CapturedELBO(elbo_of(), gmvae.model, gmvae.guide, backend=uncompiled)
    x = binary_data()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    captured._capture_all((x,))
    assert torch.equal(torch.get_rng_state(), state)
    losses = []
    for _ in range(2):
        torch.manual_seed(5)
        losses.append([captured(x).loss.item() for _ in range(4)])
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 4


def test_nothing_is_compiled_after_the_first_step() -> None:
    gmvae, compiled = small_gmvae("concrete"), []

    def counted(graph: GraphModule, given: list[Tensor]) -> GraphModule:
        compiled.append(graph)
        return graph

    captured = CapturedELBO(elbo_of(), gmvae.model, gmvae.guide, backend=counted)
    optimizer = torch.optim.Adam(gmvae.parameters(), 0.1)
    losses = []
    for weight in (0.1, 0.5, 0.9, 1.0):
        gmvae.weights.set(kl_weight=weight, temperature=weight)
        for n in (B, B - 1):  # the last batch of an epoch is smaller
            torch.manual_seed(2)
            loss = captured(binary_data(n)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        with torch.no_grad():
            captured(binary_data())
        assert len(compiled) == 1
    assert len(set(losses)) == len(losses)


@pytest.mark.parametrize("chunk_size", [None, 2])
@pytest.mark.parametrize("fits", [True, False])
def test_backward_adds_a_multiple_of_the_gradient(chunk_size: int | None, fits: bool) -> None:
    gmvae, elbo = small_gmvae("exact", n_components=5), elbo_of(chunk_size=chunk_size)
    captured = CapturedELBO(elbo, gmvae.model, gmvae.guide, backend=uncompiled)
    captured(binary_data())
    x = binary_data(B if fits else B - 1)
    found = []
    for backward in (
        lambda: captured.backward(x, scale=0.25),
        lambda: (0.25 * elbo.terms(gmvae.model, gmvae.guide, x).loss).backward(),
    ):
        torch.manual_seed(1)
        for _ in range(2):
            backward()
        found.append([None if p.grad is None else p.grad.clone() for p in gmvae.parameters()])
        gmvae.zero_grad()
    torch.testing.assert_close(found[0], found[1])


class TwoBiases(nn.Module):
    """Two parameters that always have the same gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.zeros(D)) for _ in range(2))
        self.layer = nn.Linear(Z, D)

    def forward(self, z: Tensor) -> Tensor:
        return self.layer(z) + self.first + self.second


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_two_parameters_with_one_gradient_have_each_their_own() -> None:
    decoder = TwoBiases()
    gmvae = ConcreteGMVAE(D, 3, Z, hidden=(5,), decoder=decoder)
    CapturedELBO(elbo_of(), gmvae.model, gmvae.guide).backward(binary_data())
    first, second = decoder.first.grad, decoder.second.grad
    assert first is not None and second is not None
    torch.testing.assert_close(first, second)
    before = second.clone()
    first *= 2
    assert torch.equal(second, before)


@pytest.mark.parametrize("name", ["kl_weight", "z_kl_weight", "temperature"])
def test_what_is_annealed_reaches_the_compiled_elbo(name: str) -> None:
    gmvae = small_gmvae("concrete")
    captured = CapturedELBO(elbo_of(), gmvae.model, gmvae.guide, backend=uncompiled)
    x, losses = binary_data(), []
    for value in (1.0, 0.3):
        gmvae.weights.set(**{name: value})
        torch.manual_seed(1)
        losses.append(captured(x).loss.item())
        torch.manual_seed(1)
        eager = elbo_of().terms(gmvae.model, gmvae.guide, x).loss.item()
        assert losses[-1] == pytest.approx(eager, rel=1e-5)
    assert losses[0] != pytest.approx(losses[1])


class ReadsBack(GenerativeModel):
    def p_x(self, z: Tensor) -> dist.TorchDistribution:
        return self.likelihood(self.decoder(z) * float(z.mean().item() > 0))


class ReadsBackGMVAE(ConcreteGMVAE):
    model_class = ReadsBack


def test_what_cannot_be_captured_says_why() -> None:
    gmvae, x = ReadsBackGMVAE(D, 3, Z, hidden=(5,)), binary_data()
    with pytest.raises(CaptureError) as raised:
        CapturedELBO(elbo_of(), gmvae.model, gmvae.guide)(x)
    assert len(str(raised.value).splitlines()) == 1

    reasons: list[CaptureError] = []
    captured = CapturedELBO(elbo_of(), gmvae.model, gmvae.guide, fallback=reasons.append)
    for _ in range(2):
        torch.manual_seed(1)
        loss = captured(x).loss
        torch.manual_seed(1)
        torch.testing.assert_close(loss, elbo_of().terms(gmvae.model, gmvae.guide, x).loss)
    assert len(reasons) == 1


def test_another_mode_runs_as_it_is() -> None:
    gmvae = small_gmvae("exact").train()
    gmvae.regularize(Regularizer(lambda x: 1 - x))
    ours = CapturedELBO(elbo_of(), gmvae.model, gmvae.guide, backend=uncompiled)
    assert "consistency" in ours(binary_data()).sites
    gmvae.eval()
    assert_same(ours, gmvae, elbo_of(), binary_data())
    assert "consistency" not in ours(binary_data()).sites


def test_pyro_may_validate() -> None:
    gmvae, x = small_gmvae("exact"), binary_data()
    ours = CapturedELBO(elbo_of(), gmvae.model, gmvae.guide, backend=uncompiled)
    with pyro.validation_enabled(True):
        assert_same(ours, gmvae, elbo_of(), x)
    assert ours._graphs


def test_the_compiler_is_loaded_by_the_first_compilation_alone() -> None:
    """Its import takes seconds, which commands that compile nothing are spared."""
    code = (
        "import sys, pyro_gmvae.tasks.train; "
        "assert not {'torch._dynamo', 'torch._inductor'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
