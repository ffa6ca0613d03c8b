"""What is compiled, in which precision, and how many clusters at a time."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import CapturedELBO, CaptureError, TraceEnumMeanField_ELBO
from pyro_gmvae.inference.memory import bytes_saved
from pyro_gmvae.training import Reporter, TrainConfig, fit, objective, resources
from pyro_gmvae.training.resources import (
    fitting_chunk_size,
    networks_in_bfloat16,
    whether_to_compile,
)
from tests.helpers.tiny import blobs, quick, tiny

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("asked", "device", "steps", "answer"),
    [
        ("auto", CPU, 100, False),
        ("auto", CPU, 100_000, "auto"),
        ("auto", CUDA, 100, False),
        ("auto", CUDA, 100_000, "auto"),
        (True, CPU, 1, True),
        (False, CUDA, 100_000, False),
    ],
)
def test_compilation_where_it_pays(
    asked: str | bool, device: torch.device, steps: int, answer: str | bool
) -> None:
    assert whether_to_compile(TrainConfig(compile=asked), device, steps) == answer


def test_a_cpu_is_asked_for_bfloat16_by_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the processor has it, which is imitated."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: True)
    assert not networks_in_bfloat16(TrainConfig(), CPU)
    assert networks_in_bfloat16(TrainConfig(precision="bfloat16"), CPU)


@pytest.mark.parametrize(("capability", "answer"), [((7, 5), False), ((8, 0), True)])
def test_a_gpu_takes_bfloat16_if_it_has_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], answer: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert networks_in_bfloat16(TrainConfig(), CUDA) == answer
    assert not networks_in_bfloat16(TrainConfig(precision="float32"), CUDA)


def backend(monkeypatch: pytest.MonkeyPatch, name: object) -> None:
    monkeypatch.setattr(objective, "CapturedELBO", partial(CapturedELBO, backend=name))


class CompiledAt(Reporter):
    """Counts the compilations after each step."""

    def __init__(self, counter: CompileCounterWithBackend) -> None:
        self.counter = counter
        self.counts: list[int] = []

    def step(self, step: int) -> None:
        self.counts.append(self.counter.frame_count)


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_training_compiles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Annealing, the last, smaller batch and the validation change nothing."""
    counter = CompileCounterWithBackend("aot_eager")
    backend(monkeypatch, counter)
    spy, (x, _) = CompiledAt(counter), blobs(60)
    fit(tiny("concrete"), x, quick(compile=True), validation=x[:10], reporters=[spy])
    assert len(spy.counts) == 3 * 4
    assert set(spy.counts) == {1}


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("method", ["concrete", "exact"])
def test_a_compiled_training_is_the_same_training(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend(monkeypatch, lambda graph, given: graph)
    (x, _), elbos = blobs(60), []
    for compiled in (False, True):
        result = fit(tiny(method), x, quick(compile=compiled), validation=x[:10])
        elbos.append([r[n] for r in result.history for n in ("elbo", "validation_elbo", "kl_y")])
    assert elbos[1] == pytest.approx(elbos[0], rel=1e-4)


def fails(graph: object, inputs: object) -> None:
    raise RuntimeError("this machine has no compiler\nand more lines")


@pytest.mark.usefixtures("unchecked_shapes")
def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    backend(monkeypatch, fails)
    monkeypatch.setattr(resources, "MIN_STEPS_ON_CPU", 1)
    (x, _) = blobs(60)
    with pytest.warns(RuntimeWarning, match="goes on without compilation: .*no compiler") as seen:
        result = fit(tiny("concrete"), x, quick())
    ours = [str(w.message) for w in seen if "compilation" in str(w.message)]
    assert len(ours) == 1
    assert "\n" not in ours[0]
    plain = fit(tiny("concrete"), x, quick(compile=False))
    assert [r["elbo"] for r in result.history] == [r["elbo"] for r in plain.history]
    with pytest.raises(CaptureError, match="no compiler"):
        fit(tiny("concrete"), x, quick(compile=True))


def test_bfloat16_trains_to_about_the_same() -> None:
    (x, _), ends = blobs(64), []
    for precision in ("float32", "bfloat16"):
        gmvae = tiny("exact", hidden=(16,))
        result = fit(gmvae, x, quick(epochs=15, precision=precision))
        ends.append(result.history[-1]["elbo"])
        assert all(p.dtype == torch.float32 for p in gmvae.parameters())
    assert ends[0] != ends[1]
    assert ends[1] == pytest.approx(ends[0], abs=0.3)  # the epochs before rise by some nats


class TestChunkSize:
    def batch(self) -> list[Tensor | None]:
        return [blobs(16)[0], None]

    def free(self, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        monkeypatch.setattr(resources, "_free_memory", lambda device: size)

    def test_all_clusters_where_they_fit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free(monkeypatch, 10**9)
        assert fitting_chunk_size(TrainConfig(), tiny("exact"), ELBO, self.batch()) is None

    def test_as_many_as_fit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gmvae, sizes = tiny("exact"), []
        batch = self.batch()
        one = torch.zeros(1, dtype=torch.long)
        kept = bytes_saved(
            lambda: ELBO.partial_terms(gmvae.model, gmvae.guide, one, *batch).loss, gmvae
        )
        assert kept > 0
        per_cluster = resources.PEAK * kept / resources.SHARE
        for room in (0.5, 2.5, 3.5):  # of 3 clusters
            self.free(monkeypatch, int(room * per_cluster))
            sizes.append(fitting_chunk_size(TrainConfig(), gmvae, ELBO, batch))
        assert sizes == [1, 2, None]

    def test_looking_leaves_the_model_as_it_is(self) -> None:
        encoder = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5))
        gmvae = tiny("exact", encoder=encoder).train()
        batch, before = self.batch(), encoder[1].running_mean.clone()
        state = torch.get_rng_state()
        fitting_chunk_size(TrainConfig(), gmvae, ELBO, batch)
        assert torch.equal(encoder[1].running_mean, before)
        assert gmvae.training and encoder[1].training
        assert torch.equal(torch.get_rng_state(), state)

    def test_a_number_is_obeyed(self) -> None:
        assert fitting_chunk_size(TrainConfig(chunk_size=2), tiny("exact"), ELBO, self.batch()) == 2
        assert (
            fitting_chunk_size(TrainConfig(chunk_size=None), tiny("exact"), ELBO, self.batch())
            is None
        )

    def test_only_the_exact_method_sums_over_all(self) -> None:
        assert fitting_chunk_size(TrainConfig(), tiny("sparse"), ELBO, self.batch()) is None
        with pytest.raises(InputError, match="chunk_size is for the exact method"):
            fitting_chunk_size(TrainConfig(chunk_size=2), tiny("sparse"), ELBO, self.batch())

    def test_a_training_in_chunks_is_the_same_training(self) -> None:
        (x, _), histories = blobs(64), []
        for chunk_size in (None, 2):
            result = fit(tiny("exact"), x, quick(chunk_size=chunk_size))
            histories.append([r["elbo"] for r in result.history])
        # 16 rows x 2 latents: torch draws whole blocks, so that chunks see the same noise.
        assert histories[1] == pytest.approx(histories[0], rel=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [{"chunk_size": 0}, {"chunk_size": "many"}, {"compile": "yes"}, {"precision": "float16"}],
    ids=str,
)
def test_wrong_settings(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)
