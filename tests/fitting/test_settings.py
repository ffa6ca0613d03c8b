"""Settings are checked where they are made, and kept as plain JSON."""

from __future__ import annotations

import json
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.groups import GROUPS, METHODS, DataSettings, ModelSettings
from pyro_gmvae.fitting.knobs import SettingError, choices_of
from pyro_gmvae.fitting.settings import Settings, locate
from pyro_gmvae.ranges import bound_text

# Every setting with the method that has it.
EVERY: dict[str, tuple[str, Field[Any]]] = {}
for _group in (*METHODS.values(), *GROUPS.values()):
    for _field in fields(_group):  # type: ignore[arg-type]
        EVERY.setdefault(_field.name, (getattr(_group, "method", "sparse"), _field))
NUMBERS = [n for n, (_, f) in EVERY.items() if f.metadata["kind"] in ("int", "float", "sizes")]
WORDS = [n for n, (_, f) in EVERY.items() if f.metadata["choices"] is not None]
WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "int": ("3", 3.5, True, [3]),
    "float": ("3", True, float("nan"), float("inf"), [3.0]),
    "text": (3, ["a"]),
    "file": (3, Path("a")),
    "flag": (1, "yes"),
    "sizes": (3, "ab", [3.5], [True], []),
    "word": (3, "magic"),
    "texts": (3, [4]),
    "names": (3, [4], {"a": 1}),
}


def one(name: str, value: Any) -> Any:
    """The setting as it is kept, of the method that has it."""
    return Settings.of(None, method=EVERY[name][0], **{name: value}).to_dict()[name]


def wrapped(name: str, value: float) -> Any:
    return (value,) if EVERY[name][1].metadata["kind"] == "sizes" else value


@pytest.mark.parametrize("name", NUMBERS)
def test_ranges_are_those_of_the_metadata(name: str) -> None:
    meta = EVERY[name][1].metadata
    step = 1e-6 if meta["kind"] == "float" else 1
    bounds = {"least": (0, -step), "above": (step, 0), "below": (-step, 0), "most": (0, step)}
    known = [which for which in bounds if meta[which] is not None]
    assert known, f"{name} has no range"
    for which in known:
        inside, outside = bounds[which]
        good, bad = (wrapped(name, meta[which] + by) for by in (inside, outside))
        assert one(name, good) == good
        with pytest.raises(SettingError, match=f"{name.replace('_', ' ')} must be ") as caught:
            one(name, bad)
        assert caught.value.name == name
        assert bound_text(meta[which]) in str(caught.value)


@pytest.mark.parametrize("name", EVERY)
def test_values_of_another_type(name: str) -> None:
    described = EVERY[name][1]
    wrongs = WRONG_TYPES[described.metadata["kind"]]
    # None is a word for what nobody decides, and only where it is the default.
    for wrong in wrongs if described.default is None else (*wrongs, None):
        with pytest.raises(SettingError, match=f"^{name.replace('_', ' ')} must ") as caught:
            Settings.of(None, method=EVERY[name][0], **{name: wrong})
        assert caught.value.name == name


@pytest.mark.parametrize("name", WORDS)
def test_every_choice_is_taken(name: str) -> None:
    described = EVERY[name][1]
    assert described.default in choices_of(described)
    for word in choices_of(described):
        assert one(name, word) == word


@pytest.mark.parametrize("name", EVERY)
def test_every_setting_says_what_it_is(name: str) -> None:
    words = EVERY[name][1].metadata["help"]
    assert words[0].isupper() and words.endswith(".")


def test_numbers_of_numpy_become_plain() -> None:
    settings = Settings.of(
        None, clusters=np.int64(3), hidden=np.array([4, 3]), learning_rate=np.float32(0.5)
    )
    model = settings.model
    assert (type(model.clusters), model.hidden) == (int, (4, 3))
    assert type(settings.training.learning_rate) is float
    assert json.loads(json.dumps(settings.to_dict()))["hidden"] == [4, 3]


@pytest.mark.parametrize("method", METHODS)
def test_a_setting_of_another_method(method: str) -> None:
    shared = {f.name for f in fields(ModelSettings)}
    for other, group in METHODS.items():
        for name in {f.name for f in fields(group)} - shared:
            if other == method:
                Settings.of(None, method=method, **{name: 1})
                continue
            words = f"belongs to the {other} method, not to {method}: leave it out"
            with pytest.raises(SettingError, match=words) as caught:
                Settings.of(None, method=method, **{name: 1})
            assert caught.value.name == name
            Settings.of(None, method=method, **{name: None})


def test_names_that_are_no_settings() -> None:
    with pytest.raises(SettingError, match="magic is not a setting"):
        Settings.of(None, magic=1)
    with pytest.raises(SettingError, match="method must be one of sparse, exact"):
        Settings.of(None, method="magic")


def test_a_setting_is_named_as_the_user_names_it() -> None:
    with pytest.raises(SettingError, match="^n_components must be at least 1, got 0$"):
        Settings.of(None, shown={"clusters": "n_components"}, clusters=0)
    # With names of its own, a face shows the others as they are, not in words.
    with pytest.raises(SettingError, match="^batch_size must be"):
        Settings.of(None, shown={"clusters": "n_components"}, batch_size=0)


@pytest.mark.parametrize("method", METHODS)
def test_settings_survive_json(method: str) -> None:
    told: dict[str, Any] = {"hidden": (9, 7), "channels": (8, 8), "regularize": "affine+colour"}
    told |= {"labels": "known.csv", "learn_mixture": False, "seed": 2**62, "tensorboard": True}
    for settings in (Settings(), Settings.of("a.csv", method=method, **told)):
        assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


# As version 0.1 wrote them, whatever the method; None stood for a default.
VERSION_1 = {
    "data": "digits",
    "method": "concrete",
    "clusters": 6,
    "latent_dim": 5,
    "hidden": [64],
    "kl_annealing": "cosine",
    "annealing_epochs": 3.0,
    "temperature": None,
    "temperature_end": None,
    "n_likeliest": None,
    "drawn_share": None,
    "chunk_size": None,
    "learn_mixture": False,
    "epochs": 7,
    "data_dir": "elsewhere",
}


@pytest.mark.parametrize("method", METHODS)
def test_settings_of_version_1(method: str) -> None:
    settings = Settings.from_dict(VERSION_1 | {"method": method})
    assert (settings.source, settings.method) == ("digits", method)
    assert (settings.model.clusters, settings.model.hidden) == (6, (64,))
    assert settings.training.annealing == "cosine" and settings.training.annealing_epochs == 3
    assert settings.model.learn_mixture is False
    assert settings.data == DataSettings(data_dir="elsewhere")
    # Runs from before there was a regulariser had none.
    assert settings.start.regularize == "none"
    assert Settings.from_dict(VERSION_1 | {"regularize": "auto"}).start.regularize == "auto"
    assert settings == Settings.of("digits", method=method).with_(
        clusters=6,
        latent_dim=5,
        hidden=(64,),
        annealing="cosine",
        annealing_epochs=3.0,
        learn_mixture=False,
        epochs=7,
        data_dir="elsewhere",
        regularize="none",
    )


@pytest.mark.parametrize(
    "stored",
    [None, [1], 3, {}, {"method": "sparse"}, {"data": "digits", "magic": 1}, {"data": "a", 3: 4}],
)
def test_what_is_not_stored_settings(stored: Any) -> None:
    with pytest.raises(InputError):
        Settings.from_dict(stored)


def test_with() -> None:
    settings = Settings.of("digits", clusters=3, epochs=5)
    changed = settings.with_(epochs=6, data="a.csv")
    assert (changed.source, changed.method, changed.training.epochs) == ("a.csv", "sparse", 6)
    assert changed.model.clusters == 3 and settings.training.epochs == 5
    with pytest.raises(SettingError, match="epochs"):
        settings.with_(epochs=0)


def test_what_a_resumed_training_may_be_told() -> None:
    settings = Settings.of("digits", clusters=3, hidden=(8,), method="concrete", temperature=0.7)
    resumable = {"epochs": 9, "patience": 3, "device": "cpu", "data_dir": "a", "tensorboard": True}
    resumable |= {"checkpoint_seconds": 5.0}
    assert {n for n, (_, f) in EVERY.items() if f.metadata["resumable"]} == set(resumable)
    again = settings.resumed_with({"data": "digits", "clusters": 3, "hidden": (8,), **resumable})
    assert again == settings.with_(**resumable)
    assert settings.resumed_with({}) == settings
    # Only what is named is asked for: a default of this version is not another setting.
    for given, words in (
        ({"clusters": 4}, "was begun with clusters 3, not 4: leave it out to resume"),
        ({"hidden": (9, 7)}, "was begun with hidden 8, not 9,7"),
        ({"data": "mnist"}, "was begun with data digits, not mnist"),
        ({"method": "exact"}, "was begun with method concrete, not exact"),
        ({"n_likeliest": 2}, "was begun with n likeliest None, not 2"),
        ({"label_column": "kind"}, "was begun with label column None, not kind"),
    ):
        with pytest.raises(InputError, match=words):
            settings.resumed_with(given)


def test_files_and_folders_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "digits").mkdir()
    assert locate("a.csv") == str(tmp_path / "a.csv")
    assert locate("photos") == locate("./photos/") == str(tmp_path / "photos")
    assert locate("digits") == "digits" and locate("./digits") == str(tmp_path / "digits")
    assert locate("mnist") == "mnist"
