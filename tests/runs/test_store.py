"""The run folder: what is loaded is what was saved, or nothing is loaded."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save
from torch import nn

from pyro_gmvae import GMVAE
from pyro_gmvae.about import About
from pyro_gmvae.data import Dataset, Encoding, ImageEncoding, TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.files.locks import locked
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.inference import Schedule
from pyro_gmvae.likelihoods import Gaussian
from pyro_gmvae.models import METHODS, ExactGMVAE
from pyro_gmvae.runs import load, replace_run, save_run
from pyro_gmvae.runs.contents import CARD, CONFIG, FORMAT, NEW_WEIGHTS, TRAINING, WEIGHTS
from pyro_gmvae.training import fit
from tests.helpers.tiny import blobs, grey, quick, same_weights, tiny

ABOUT = About(
    "blobs",
    settings={"data": "blobs.csv", "method": "exact", "hidden": (8,), "nested": {"seed": None}},
    class_names=("a", "b"),
    fingerprint="abc",
    known_rows=(1, 5),
    stopped="epochs",
    best_epoch=2.0,
    n_steps=8,
    seconds=0.5,
    lower_bound=-1.5,
    kept_clusters=(0, 2),
    estimator={"num_samples": 7},
)
# As JSON has it: lists where there were tuples.
STORED = replace(ABOUT, settings=dict(ABOUT.settings or {}) | {"hidden": [8]})
OPTIONS: dict[str, dict[str, Any]] = {
    "exact": {"likelihood": "gaussian_predicted", "learn_mixture": True},
    "concrete": {"temperature": 0.7, "kl": "relaxed", "label_weight": 2.0},
    "sparse": {"n_likeliest": 2, "shared_trunk": True, "hidden": (8, 5)},
    "marginal": {"likelihood": "continuous_bernoulli"},
}


def trained(method: str, dtype: torch.dtype = torch.float32) -> FittedModel:
    """A fitted model that is no longer what its constructor made."""
    x, _ = blobs(dtype=dtype)
    encoding: Encoding = TableEncoding.standardize(x)
    if method == "marginal":
        x, encoding = grey(60), ImageEncoding((4,))
    gmvae = tiny(method, **OPTIONS[method]).to(dtype)
    config = quick(epochs=2, temperature=Schedule("linear", end=0.2, duration=5))
    result = fit(gmvae, x, config, transform=encoding.to(dtype))
    return FittedModel(gmvae, encoding, ABOUT, result.history)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was saved."""
    save_run(tmp_path / "run", FittedModel(tiny(), TableEncoding((4,)), ABOUT))
    return tmp_path / "run"


@pytest.fixture
def other() -> FittedModel:
    """Another model, to replace the one in the folder."""
    return FittedModel(tiny("exact"), TableEncoding((4,)), ABOUT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", METHODS)
def test_loaded_is_what_was_saved(method: str, dtype: torch.dtype, tmp_path: Path) -> None:
    run = trained(method, dtype)
    save_run(tmp_path / "new" / "run", run)
    torch.manual_seed(99)
    rng = torch.get_rng_state()
    loaded = load(str(tmp_path / "new" / "run"))
    assert torch.equal(rng, torch.get_rng_state())

    assert type(loaded.gmvae) is type(run.gmvae) and not loaded.gmvae.training
    assert same_weights(run.gmvae.state_dict(), loaded.gmvae.state_dict())
    assert {t.dtype for t in loaded.gmvae.state_dict().values()} == {dtype}
    assert same_weights(run.encoding.state_dict(), loaded.encoding.state_dict())
    assert {t.dtype for t in loaded.encoding.state_dict().values()} == {dtype}
    assert type(loaded.encoding) is type(run.encoding)
    assert loaded.encoding.to_config() == run.encoding.to_config()
    assert loaded.gmvae.options == run.gmvae.options
    assert loaded.about == STORED
    assert loaded.history == run.history and len(run.history) == 2

    raw = grey(20) if method == "marginal" else blobs(20, seed=1, dtype=dtype)[0]
    for mean in (True, False):
        ours, theirs = (r.sample(10, mean=mean, seed=3) for r in (run, loaded))
        assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1])
    prior = [r.gmvae.weights for r in (run, loaded)]
    assert torch.equal(prior[0].temperature, prior[1].temperature)
    assert torch.equal(prior[0].kl_weight, prior[1].kl_weight)
    for answer in ("responsibilities", "embed", "reconstruct"):
        assert torch.equal(getattr(run, answer)(raw), getattr(loaded, answer)(raw))
    figures = [r.log_likelihood(raw, num_samples=30) for r in (run, loaded)]
    assert torch.equal(figures[0].log_p, figures[1].log_p)
    assert torch.equal(figures[0].elbo_per_datum, figures[1].elbo_per_datum)
    data = Dataset("new", raw, None, type(run.encoding))
    judged = [r.evaluate(data, num_samples=30).to_dict() for r in (run, loaded)]
    assert judged[0] == judged[1]


def test_the_files_are_named_and_whole(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "weights.safetensors",
    ]
    config = json.loads((folder / "config.json").read_text())
    assert (config["format"], config["version"], config["dtype"]) == (FORMAT, 2, "float32")
    assert {name.split("/")[0] for name in load_file(folder / "weights.safetensors")} == {
        "model",
        "encoding",
    }


def test_saving_again_replaces(folder: Path) -> None:
    save_run(folder, FittedModel(tiny("sparse", seed=4), TableEncoding((4,))))
    loaded = load(folder)
    assert loaded.gmvae.method == "sparse" and loaded.about == About()
    assert same_weights(loaded.gmvae.state_dict(), tiny("sparse", seed=4).state_dict())
    assert len(list(folder.iterdir())) == 3


class Mine(ExactGMVAE):
    """A user's own."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: tiny(decoder=nn.Linear(2, 4)),
        lambda: tiny(encoder=nn.Linear(4, 8)),
        lambda: tiny(cluster_encoder=nn.Linear(4, 8)),
        lambda: tiny(likelihood=Gaussian((4,), scale=0.1)),
        lambda: tiny(likelihood=Gaussian),
        lambda: Mine(4, 3, 2, hidden=(8,)),
    ],
)
def test_what_only_the_users_code_can_rebuild(make: Callable, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be rebuilt from a file: save its state_dict\(\)"):
        save_run(tmp_path / "run", FittedModel(make(), TableEncoding((4,))))
    assert not (tmp_path / "run").exists()


def test_details_that_are_not_json_leave_the_old_run(folder: Path) -> None:
    about = About(estimator={"x": torch.zeros(1)})
    with pytest.raises(TypeError):
        save_run(folder, FittedModel(tiny(seed=5), TableEncoding((4,)), about))
    assert load(folder).about == STORED


def test_a_failing_write_leaves_no_half(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="no space left"):
            save_run(folder, FittedModel(tiny("sparse"), TableEncoding((4,))))
    assert load(folder).gmvae.method == "exact"


# What is wrong with a folder, and what is said about it.


def edit(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


def edit_model(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        model = json.loads((folder / "config.json").read_text())["model"]
        edit(model=model | changes)(folder)

    return change


def drop(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        del config[name]
        (folder / "config.json").write_text(json.dumps(config))

    return change


def write(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes())) and None


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


class Bomb:
    """What a malicious file would be."""

    def __reduce__(self) -> tuple:
        return (pytest.fail, ("it was unpickled",))


def put_weights(content: bytes) -> Callable[[Path], None]:
    """Weights of a stranger, with the digest to match."""

    def change(folder: Path) -> None:
        (folder / "weights.safetensors").write_bytes(content)
        edit(weights_sha256=hashlib.sha256(content).hexdigest())(folder)

    return change


WRONGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (remove(CONFIG), "config.json is missing"),
    "no weights": (remove(WEIGHTS), "weights.safetensors is missing"),
    "truncated config": (write(CONFIG, lambda b: b[:100]), "config.json is damaged"),
    "empty config": (write(CONFIG, lambda b: b""), "config.json is damaged"),
    "binary config": (write(CONFIG, lambda b: b"\xff\xfe\x00"), "config.json is damaged"),
    "a list": (write(CONFIG, lambda b: b"[1]"), "config.json is damaged"),
    "another program's": (write(CONFIG, lambda b: b'{"a": 1}'), "config.json is damaged"),
    "truncated weights": (write(WEIGHTS, lambda b: b[:-4]), "not the file that was saved"),
    "empty weights": (write(WEIGHTS, lambda b: b""), "not the file that was saved"),
    "a flipped bit": (
        write(WEIGHTS, lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        "not the file that was saved",
    ),
    "no digest": (drop("weights_sha256"), "not the file that was saved"),
    "a later version": (edit(version=3), "of version 3, this program reads version 2"),
    "no version": (drop("version"), "of version None, this program reads version 2"),
    "an older version by name only": (edit(version=1), "does not fit together"),
    "other sizes": (edit_model(n_components=7), "does not fit together"),
    "an impossible size": (edit_model(latent_dim=0), "does not fit together"),
    "unknown method": (edit_model(method="magic"), "does not fit together"),
    "unknown option": (edit_model(magic=1), "does not fit together"),
    "no model": (drop("model"), "does not fit together"),
    "model is text": (edit(model="exact"), "does not fit together"),
    "unknown dtype": (edit(dtype="float31"), "does not fit together"),
    "dtype is a function": (edit(dtype="load"), "does not fit together"),
    "no encoding": (drop("encoding"), "does not fit together"),
    "unknown encoding": (edit(encoding={"kind": "audio"}), "does not fit together"),
    "encoding is text": (edit(encoding="table"), "does not fit together"),
    "no columns": (
        edit(encoding={"kind": "table", "event_shape": [4], "binarize": "none"}),
        "does not fit together",
    ),
    "too few columns": (
        edit(
            encoding={
                "kind": "table",
                "event_shape": [4],
                "binarize": "none",
                "columns": [{"name": None, "kind": "real"}],
            }
        ),
        "does not fit together",
    ),
    "no about": (drop("about"), "does not fit together"),
    "unknown about": (edit(about={"magic": 1}), "does not fit together"),
    "other weights": (put_weights(save({"model/x": torch.zeros(1)})), "does not fit together"),
    "a pickle": (put_weights(pickle.dumps(Bomb())), "does not fit together"),
    "not safetensors": (put_weights(b"what is this"), "does not fit together"),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_refuses(wrong: str, folder: Path) -> None:
    break_it, message = WRONGS[wrong]
    break_it(folder)
    with pytest.raises(InputError, match=message):
        load(folder)


def test_a_pickle_by_torch_is_not_opened(folder: Path) -> None:
    torch.save({"model/x": Bomb()}, folder / WEIGHTS)
    with pytest.raises(InputError, match="not the file that was saved"):
        load(folder)
    put_weights((folder / WEIGHTS).read_bytes())(folder)
    with pytest.raises(InputError, match="does not fit together"):
        load(folder)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run folder"):
        load(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="there is no run folder"):
        load(tmp_path / "file")


# A save that is killed.


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", range(4))
def test_a_killed_save_leaves_the_old_run_or_the_new_one(
    moment: int, folder: Path, other: FittedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = load(folder).gmvae.state_dict()
    calls = iter(range(9))
    real = os.replace

    def replace(*paths: str) -> None:
        if next(calls) == moment:
            raise Killed
        real(*paths)

    monkeypatch.setattr(os, "replace", replace)
    with contextlib.suppress(Killed):
        save_run(folder, other)
    monkeypatch.undo()
    found = load(folder).gmvae.state_dict()
    wanted = old if moment < 2 else other.gmvae.state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    save_run(folder, other)  # the next save is as if nothing had happened
    assert not (folder / NEW_WEIGHTS).exists()
    load(folder)


def test_a_run_that_replaces_another_takes_its_files_along(
    folder: Path, other: FittedModel
) -> None:
    (folder / "clusters.png").touch()
    (folder / "metrics.csv").write_text("epoch,step\n1,2\n")
    (folder / "thesis.txt").write_text("precious")
    replace_run(folder, other)
    assert {f.name for f in folder.iterdir()} == {CARD, CONFIG, WEIGHTS, "thesis.txt"}


def test_a_run_that_is_written_says_so(folder: Path) -> None:
    with locked(folder), pytest.warns(RuntimeWarning, match="trained or written by process"):
        load(folder)
    (folder / CONFIG).unlink()
    with locked(folder), pytest.raises(InputError, match="is being trained by process"):
        load(folder)
    (folder / TRAINING).touch()
    with pytest.raises(InputError, match="has not ended: continue it with --resume"):
        load(folder)


class TestEstimator:
    def test_what_cannot_be_saved_overwrites_nothing(self, tmp_path: Path) -> None:
        x = torch.randn(40, 3).numpy()
        options: dict = {"hidden": (4,), "max_iter": 1, "device": "cpu", "random_state": 0}
        options["init_params"] = "random"
        good = GMVAE(2, **options).fit(x)
        good.save(tmp_path / "run")
        expected = good.predict(x)
        good.model_.custom_networks = True
        with pytest.raises(ValueError, match="cannot be rebuilt"):
            good.save(tmp_path / "run", overwrite=True)
        good.model_.custom_networks, good.verbose = False, {"not": "JSON", "but": {1}}
        with pytest.raises(ValueError, match="verbose must be True or False"):
            good.save(tmp_path / "run", overwrite=True)
        np.testing.assert_array_equal(GMVAE.load(tmp_path / "run").predict(x), expected)
        good.verbose = False
        with pytest.raises(InputError, match="pass overwrite=True"):
            good.save(tmp_path / "run")

    def test_sizes_in_an_array(self, tmp_path: Path) -> None:
        x = torch.randn(40, 3).numpy()
        sizes = np.array([4, 3])
        gmvae = GMVAE(2, hidden=sizes, max_iter=1, init_params="random", random_state=0).fit(x)
        gmvae.save(tmp_path / "run")
        assert GMVAE.load(tmp_path / "run").hidden == (4, 3)
