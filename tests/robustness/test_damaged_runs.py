"""Whatever a run folder holds, loading it gives a model or one sentence with the fix."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pyro_gmvae import runs
from pyro_gmvae.about import About
from pyro_gmvae.data import ImageEncoding, TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.files.tensors import digest_of
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.models import ExactGMVAE
from pyro_gmvae.training import MetricsCSV, Reporter, TrainingInterrupted, fit
from pyro_gmvae.training.state import load_checkpoint
from tests.helpers.tiny import blobs, quick, tiny
from tests.robustness.mutations import json_mutations, mutations

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
V1 = Path(__file__).parents[1] / "helpers" / "runs_v1"
CONFIG, WEIGHTS, METRICS, TRAINING = (
    "config.json",
    "weights.safetensors",
    "metrics.csv",
    "train.json",
)
LONGEST = 900  # characters of a message, the folder's name among them


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole runs: of a table, of images under convolutions, and of version 0.1."""
    folder = tmp_path_factory.mktemp("runs")
    x, _ = blobs()
    settings = Settings.of("blobs.csv", hidden=(8,))
    about = About(
        "blobs",
        settings=settings.to_dict(),
        class_names=("a", "b"),
        fingerprint="abc",
        known_rows=(1, 5),
        stopped="epochs",
        n_steps=8,
        kept_clusters=(0, 2),
    )
    history = [{"epoch": 1, "elbo": -3.5}, {"epoch": 2, "elbo": -2.5}]
    fitted = FittedModel(tiny("sparse"), TableEncoding.standardize(x), about, history)
    runs.save_run(folder / "table", fitted)
    runs.write_training(folder / "table", settings, "abc")
    conv = ExactGMVAE((1, 4, 4), 2, 2, hidden=(4,), network="conv")
    runs.save_run(folder / "conv", FittedModel(conv, ImageEncoding((1, 4, 4)), About()))
    for name in ("digits", "saved-table"):
        shutil.copytree(V1 / name, folder / name)
    return folder


@pytest.fixture
def folder(originals: Path, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(originals / name, tmp_path / name))


def refused(action: Callable[[], object], damages: Iterator[bytes], write: Callable) -> int:
    """Count the damages that are refused; any other error than InputError fails the test."""
    count = 0
    for damaged in damages:
        write(damaged)
        try:
            action()
        except InputError as error:
            count += 1
            message = str(error)
            assert len(message) < LONGEST and "\n" not in message and "train" in message
    return count


def with_digest(folder: Path) -> None:
    """Let the configuration vouch for the weights, as a stranger's would."""
    config = json.loads((folder / CONFIG).read_text())
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / CONFIG).write_text(json.dumps(config | {"weights_sha256": digest}))


NAMES = ["table", "conv", "digits", "saved-table"]


@pytest.mark.parametrize("name", NAMES)
def test_configurations(name: str, folder: Callable[[str], Path]) -> None:
    path = folder(name)
    content = (path / CONFIG).read_bytes()
    stored = json.loads(content)
    parts = ("model", "encoding", "about", "preprocessor", "details")
    for part in (p for p in parts if p in stored):

        def write(damaged: bytes, part: str = part) -> None:
            text = json.dumps(stored | {part: "HERE"}).encode()
            (path / CONFIG).write_bytes(text.replace(b'"HERE"', damaged))

        assert refused(lambda: runs.load(path), json_mutations(stored[part], 1, 20), write) > 5
    damages = mutations(content, 2, 20)
    assert refused(lambda: runs.load(path), damages, (path / CONFIG).write_bytes) > 5


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_a_stranger(name: str, folder: Callable[[str], Path]) -> None:
    path = folder(name)
    content = (path / WEIGHTS).read_bytes()
    size = int.from_bytes(content[:8], "little")

    def write(damaged: bytes) -> None:
        (path / WEIGHTS).write_bytes(damaged)
        with_digest(path)

    def write_header(damaged: bytes) -> None:
        write(len(damaged).to_bytes(8, "little") + damaged + content[8 + size :])

    assert refused(lambda: runs.load(path), mutations(content, 3, 15), write) > 5
    header = json.loads(content[8 : 8 + size])
    assert refused(lambda: runs.load(path), json_mutations(header, 4, 20), write_header) > 10


def test_histories(folder: Callable[[str], Path]) -> None:
    path = folder("table")
    content = (path / METRICS).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        damages = mutations(content, 5, 30)
        assert refused(lambda: runs.load(path), damages, (path / METRICS).write_bytes) == 0


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"a,b\n1\n", b"a\nx\n", b"a\n" + b"1" * 200_000, b"a,b\n1,2,3\n"]
)
def test_the_model_loads_without_a_damaged_history(
    content: bytes, folder: Callable[[str], Path]
) -> None:
    path = folder("table")
    assert len(runs.load(path).history) == 2
    (path / METRICS).write_bytes(content)
    with pytest.warns(RuntimeWarning, match=r"metrics.csv is damaged .* is empty: delete the file"):
        loaded = runs.load(path)
    assert loaded.history == [] and loaded.gmvae.n_components == 3


def test_stored_trainings(folder: Callable[[str], Path]) -> None:
    path = folder("table")
    content = (path / TRAINING).read_bytes()
    write = (path / TRAINING).write_bytes
    stored = json.loads(content)
    assert refused(lambda: runs.read_training(path), json_mutations(stored, 6, 100), write) > 25
    assert refused(lambda: runs.read_training(path), mutations(content, 7, 50), write) > 25


def test_stored_settings_are_refused_by_the_name_of_their_file(
    folder: Callable[[str], Path],
) -> None:
    path = folder("table")
    stored = json.loads((path / TRAINING).read_text())
    stored["settings"]["clusters"] = -3
    (path / TRAINING).write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"train.json.*clusters must be at least 1.*--overwrite"):
        runs.read_training(path)


# What a stranger's configuration may claim.


def claim(path: Path, **changes: object) -> None:
    config = json.loads((path / CONFIG).read_text())
    for part in ("model", "encoding"):
        config[part] |= {n: v for n, v in changes.items() if n in config[part]}
    (path / CONFIG).write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # Forty gigabytes, which would fail otherwise.
        ({"hidden": [100_000, 100_000]}, "the tensor '.*' is missing"),
        ({"hidden": [100_000], "latent_dim": 2**12}, r"the tensor '.*' is .* not F32 of shape"),
        ({"n_components": 100_000}, r"the tensor '.*' is .* not F32 of shape"),
        ({"hidden": [2**28]}, "hidden must be at least 1 and at most 100000"),
        ({"n_components": 10**9}, "n_components must be at least 1 and at most 100000"),
        ({"n_components": 10**30}, "n_components .* too many digits"),
        ({"hidden": [8] * 100_000}, "hidden must have at most 100"),
        ({"input_dim": [2**28], "event_shape": [2**28]}, "columns are not those of the table"),
        ({"input_dim": [10**9], "event_shape": [10**9]}, "no row has|must be at"),
        ({"event_shape": [2**20] * 3}, "no row has"),
        ({"label_weight": float("nan")}, "label_weight must be"),
        ({"n_likeliest": "x" * 10**5}, "text of 100,000 characters"),
        ({"likelihood": None}, "likelihood is None"),
        ({"shared_trunk": 1}, "shared_trunk is 1, which is no bool"),
    ],
)
def test_sizes_are_compared_before_anything_is_allocated(
    changes: dict, words: str, folder: Callable[[str], Path]
) -> None:
    path = folder("table")
    claim(path, **changes)
    with pytest.raises(InputError, match=words):
        runs.load(path)


def test_a_deep_convolution(folder: Callable[[str], Path]) -> None:
    path = folder("conv")
    claim(path, conv={"channels": [8, 8], "blocks": 10**6})
    with pytest.raises(InputError, match="blocks must be at"):
        runs.load(path)
    claim(path, conv={"channels": [2**28], "features": 2**28})
    with pytest.raises(InputError, match="does not fit together"):
        runs.load(path)


def test_files_larger_than_what_they_hold(folder: Callable[[str], Path]) -> None:
    path = folder("table")
    for name, words in (
        (WEIGHTS, "larger than the model"),
        (CONFIG, "config.json is damaged.*lar"),
    ):
        with (path / name).open("r+b") as file:
            file.truncate(2**32)  # holes, which take no room on the disk
        with pytest.raises(InputError, match=words):
            runs.load(path)


def change_tensor(path: Path, name: str, change: Callable[[torch.Tensor], object]) -> None:
    tensors = load_file(path / WEIGHTS)
    change(tensors[name])
    save_file(tensors, path / WEIGHTS)
    with_digest(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["model/model.component_loc", "encoding/shift", "encoding/scale"])
def test_numbers_that_are_none(name: str, value: float, folder: Callable[[str], Path]) -> None:
    path = folder("table")
    change_tensor(path, name, lambda t: t.view(-1)[:1].fill_(value))
    with pytest.raises(InputError, match=f"the tensor '{name}' has NaN or infinite entries"):
        runs.load(path)


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_scales_that_nothing_is_divided_by(scale: float, folder: Callable[[str], Path]) -> None:
    path = folder("table")
    change_tensor(path, "encoding/scale", lambda t: t[1:2].fill_(scale))
    with pytest.raises(InputError, match="'encoding/scale' has entries that are not positive"):
        runs.load(path)


def test_what_would_not_load_is_not_saved(tmp_path: Path) -> None:
    gmvae = tiny()
    with torch.no_grad():
        gmvae.model.component_loc[0, 0] = float("nan")
    with pytest.raises(InputError, match="cannot be saved .*component_loc' has NaN"):
        runs.save_run(tmp_path / "run", FittedModel(gmvae, TableEncoding((4,))))
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="hidden must have at most 100"):
        runs.save_run(tmp_path / "run", FittedModel(tiny(hidden=(1,) * 501), TableEncoding((4,))))


def test_a_history_with_a_later_column(tmp_path: Path) -> None:
    """A checkpoint may hold records with fewer figures than the epochs that follow."""
    history = [{"epoch": 1.0, "elbo": -3.5}, {"epoch": 2.0, "elbo": -2.5, "kl_y": 0.5}]
    reporter = MetricsCSV(tmp_path / METRICS)
    reporter.start(10, history[:1])
    reporter.epoch(history[1])
    reporter.epoch({"epoch": 3.0, "kl_y": 0.25})
    runs.save_run(tmp_path / "run", FittedModel(tiny(), TableEncoding((4,)), About()))
    shutil.copy(tmp_path / METRICS, tmp_path / "run")
    assert runs.load(tmp_path / "run").history == [*history, {"epoch": 3.0, "kl_y": 0.25}]


# Checkpoints.


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The state of a training that was interrupted within its second epoch."""
    path = tmp_path_factory.mktemp("checkpoint") / "state.safetensors"
    with pytest.raises(TrainingInterrupted):
        train(path, interrupt_at=6)
    return path.read_bytes()


def train(path: Path, *, resume: bool = False, interrupt_at: int = 0) -> list:
    """Train for three epochs, which are recorded beside the checkpoint."""
    x, _ = blobs()
    reporters = [Interrupts(interrupt_at), MetricsCSV(path.with_suffix(".csv"))]
    settings = quick(epochs=3)
    return fit(
        tiny(), x, settings, validation=x, checkpoint=path, resume=resume, reporters=reporters
    ).history


class Interrupts(Reporter):
    """Interrupts the training after a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, step: int) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def header_of(content: bytes) -> tuple[dict, bytes]:
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def test_checkpoints(checkpoint: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    header, numbers = header_of(checkpoint)
    state = json.loads(header["__metadata__"]["state"])

    def write_header(damaged: bytes) -> None:
        path.write_bytes(len(damaged).to_bytes(8, "little") + damaged + numbers)

    def write_state(damaged: bytes) -> None:
        changed = header | {"__metadata__": {"state": damaged.decode()}}
        write_header(json.dumps(changed).encode())

    def resume() -> None:
        train(path, resume=True)

    path.write_bytes(checkpoint)
    assert len(train(path, resume=True)) == 3
    assert refused(resume, json_mutations(state, 8, 60), write_state) > 30
    assert refused(resume, json_mutations(header, 9, 20), write_header) > 15
    assert refused(resume, mutations(checkpoint, 10, 30), path.write_bytes) > 15


OTHER_TENSORS: dict[str, tuple[str, Callable[[torch.Tensor], torch.Tensor], str]] = {
    "shape of a weight": ("weights/model.component_loc", lambda t: t[:2], "another model"),
    "type of a weight": ("weights/model.component_loc", lambda t: t.double(), "another model"),
    "NaN weight": ("weights/model.component_loc", lambda t: t.fill_(torch.nan), "NaN or infinite"),
    "shape of a moment": ("optimizer/0.exp_avg", lambda t: t[:1], "exp_avg' is F32 of shape"),
    "infinite moment": ("optimizer/0.exp_avg_sq", lambda t: t.fill_(torch.inf), "NaN or infinite"),
    "several counts": ("optimizer/0.step", lambda t: t.expand(2), "step' is F32 of shape"),
    "shape of a sum": ("meter/loss", lambda t: t.expand(3), "sum of the meter is no number"),
    "whole sum": ("meter/loss", lambda t: t.long(), "sum of the meter is no number"),
    "no order": ("order", lambda t: t[:, None], "order' is no state of a generator"),
    "wild order": ("order", lambda t: t.fill_(255), "order' is no state of a generator"),
    "float order": ("order", lambda t: t.float(), "order' is no state of a generator"),
    "short generator": ("rng/cpu", lambda t: t[:100], "rng/cpu' is no state of a generator"),
}


def forge(path: Path, tensors: dict[str, Tensor], checkpoint: bytes) -> None:
    """Write other tensors with the digest that they should have."""
    metadata = header_of(checkpoint)[0]["__metadata__"]
    save_file(tensors, path, metadata | {"digest": digest_of(tensors, metadata["state"])})


def test_any_damage_to_a_checkpoint_is_noticed(checkpoint: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    for place in range(len(checkpoint) // 2, len(checkpoint), len(checkpoint) // 40):
        damaged = bytearray(checkpoint)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is not what was saved"):
            load_checkpoint(path)


@pytest.mark.parametrize("which", OTHER_TENSORS)
def test_other_tensors(which: str, checkpoint: bytes, tmp_path: Path) -> None:
    name, change, words = OTHER_TENSORS[which]
    path = tmp_path / "state.safetensors"
    path.write_bytes(checkpoint)
    tensors = load_file(path)
    tensors[name] = change(tensors[name]).contiguous().clone()
    forge(path, tensors, checkpoint)
    before = torch.get_rng_state()
    with pytest.raises(InputError, match=words):
        train(path, resume=True)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["meter/loss", "optimizer/0.step", "order", "rng/cpu"])
def test_missing_tensors(name: str, checkpoint: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(checkpoint)
    tensors = load_file(path)
    for other in ("x", f"{name}9"):
        changed = {n: t for n, t in tensors.items() if n != name}
        changed |= {other: tensors[name]} if other != "x" else {}
        forge(path, changed, checkpoint)
        with pytest.raises(InputError, match="damaged"):
            train(path, resume=True)
