"""A training that is compiled, in bfloat16 or in chunks of clusters is the same training."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import CapturedELBO, CaptureError, TraceEnumMeanField_ELBO
from pyro_gmvae.inference.memory import bytes_saved
from pyro_gmvae.models import METHODS
from pyro_gmvae.process.memory import free_memory
from pyro_gmvae.training import Reporter, TrainConfig, elbo_objective, fit, resources, step
from pyro_gmvae.training.resources import bytes_per_cluster, records_steps
from tests.helpers.tiny import blobs, quick, tiny

ELBO = TraceEnumMeanField_ELBO(max_plate_nesting=1)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "processes", "record", "answer"),
    [
        (CUDA, 1, True, True),
        (CUDA, 1, False, False),
        (CUDA, 2, True, False),
        (CPU, 1, True, False),
    ],
)
def test_steps_are_recorded_on_one_gpu(
    device: torch.device, processes: int, record: bool, answer: bool
) -> None:
    accelerator = SimpleNamespace(device=device, num_processes=processes)
    unchecked = getattr(records_steps, "__wrapped__", records_steps)
    assert unchecked(TrainConfig(record=record), accelerator) is answer


def backend(monkeypatch: pytest.MonkeyPatch, name: object) -> None:
    monkeypatch.setattr(step, "CapturedELBO", partial(CapturedELBO, backend=name))


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
    (x, _) = blobs(60)
    words = "training continues without compilation: .*no compiler"
    with pytest.warns(RuntimeWarning, match=words) as seen:
        result = fit(tiny("concrete"), x, quick(compile="try"))
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


class TestChunks:
    def batch(self) -> list[Tensor | None]:
        return [blobs(16)[0], None]

    def test_the_memory_of_a_cluster_is_what_a_step_saves_for_it(self) -> None:
        gmvae, batch = tiny("exact"), self.batch()
        one = torch.zeros(1, dtype=torch.long)
        kept = bytes_saved(
            lambda: ELBO.partial_terms(gmvae.model, gmvae.guide, one, *batch).loss, gmvae
        )
        assert kept > 0
        assert bytes_per_cluster(gmvae, ELBO, batch) == resources.PEAK * kept
        assert free_memory(CPU) > 2**20

    def test_the_measure_is_the_same_wherever_the_memory_lies(self) -> None:
        gmvae, batch = tiny("exact"), self.batch()
        between: list[torch.Tensor] = []
        sizes = set()
        for i in range(100):
            sizes.add(bytes_per_cluster(gmvae, ELBO, batch))
            between = [*between[-9:], torch.zeros(7 * i % 61 + 1)]
        assert len(sizes) == 1

    @pytest.mark.parametrize("training", [True, False])
    def test_measuring_leaves_the_model_as_it_is(self, training: bool) -> None:
        encoder = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5))
        gmvae = tiny("exact", encoder=encoder).train(training)
        before = encoder[1].running_mean.clone()
        bytes_per_cluster(gmvae, ELBO, self.batch())
        assert torch.equal(encoder[1].running_mean, before)
        assert gmvae.training is encoder[1].training is training

    def test_a_number_is_obeyed(self) -> None:
        objective = elbo_objective(tiny("exact"), TrainConfig(chunk_size=2))
        assert objective.elbo.chunk_size == 2
        assert elbo_objective(tiny("exact"), TrainConfig()).elbo.chunk_size is None

    @pytest.mark.parametrize("method", [m for m in METHODS if m != "exact"])
    def test_only_the_exact_method_sums_over_all(self, method: str) -> None:
        assert elbo_objective(tiny(method), TrainConfig()).elbo.chunk_size is None
        with pytest.raises(InputError, match="chunk_size is for the exact method"):
            elbo_objective(tiny(method), TrainConfig(chunk_size=2))
        with pytest.raises(InputError, match="chunk_size is for the exact method"):
            fit(tiny(method), blobs()[0], quick(chunk_size=2))

    def test_a_training_in_chunks_is_the_same_training(self) -> None:
        (x, _), histories = blobs(64), []
        for chunk_size in (None, 2):
            result = fit(tiny("exact"), x, quick(chunk_size=chunk_size))
            histories.append([r["elbo"] for r in result.history])
        # 16 rows x 2 latents: torch draws whole blocks, so that chunks see the same noise.
        assert histories[1] == pytest.approx(histories[0], rel=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_size": 0},
        {"compile": "yes"},
        {"compile": "auto"},
        {"precision": "float16"},
        {"precision": "auto"},
    ],
    ids=str,
)
def test_wrong_settings(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)
