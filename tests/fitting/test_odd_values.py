"""Every setting takes an odd value as a plain one, or refuses it by name and in one line."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import Field, fields
from typing import Any

import pytest

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting import capacity
from pyro_gmvae.fitting.capacity import check_capacity
from pyro_gmvae.fitting.groups import GROUPS, METHODS
from pyro_gmvae.fitting.knobs import SettingError, choices_of
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.models.config import from_config, parameter_count
from tests.helpers.odd_values import ODD, OwnText

# Annotations would refuse a wrong type in other words, which users never see.
pytestmark = pytest.mark.usefixtures("unchecked_shapes")

EVERY: dict[str, tuple[str, Field[Any]]] = {}
for _group in (*METHODS.values(), *GROUPS.values()):
    for _field in fields(_group):  # type: ignore[arg-type]
        EVERY.setdefault(_field.name, (getattr(_group, "method", "sparse"), _field))
TYPES = {"int": int, "float": float, "text": str, "word": str, "flag": bool, "file": str}
TYPES |= {"texts": tuple, "names": tuple}
MODEL = {"input_dim": 4, "n_components": 3, "latent_dim": 2, "hidden": (5,)}


@pytest.mark.parametrize("name", EVERY)
def test_a_value_is_taken_as_a_plain_one_or_refused_by_name(name: str) -> None:
    method, described = EVERY[name]
    meta = described.metadata
    for value in ODD:
        try:
            kept = Settings.of(None, method=method, **{name: value}).to_dict()[name]
        except SettingError as error:
            message = str(error)
            assert message.startswith(f"{name.replace('_', ' ')} must "), message
            # The words of a setting may be long; a wrong value is cut.
            assert len(message) < 320 and "\n" not in message
            continue
        json.dumps(kept, allow_nan=False)
        if kept is None:
            assert value is None and described.default is None
        elif meta["kind"] == "sizes":
            assert type(kept) is tuple and all(type(size) is int for size in kept)
        else:
            assert type(kept) is TYPES[meta["kind"]]
            assert meta["choices"] is None or kept in choices_of(described)
        if meta["kind"] in ("int", "float") and kept is not None:
            assert math.isfinite(kept) and kept == value


@pytest.mark.parametrize("name", [n for n, (_, f) in EVERY.items() if f.metadata["kind"] == "int"])
def test_every_number_of_things_has_a_limit_that_is_named(name: str) -> None:
    method, described = EVERY[name]
    bound = described.metadata["most"] or described.metadata["below"]
    assert bound is not None
    with pytest.raises(SettingError, match=f"(at most|below) {bound}, got 1000000000000000000000"):
        Settings.of(None, method=method, **{name: 10**30})


def test_a_method_is_a_word() -> None:
    for value in ODD:
        with pytest.raises(SettingError, match="^method must be one of sparse, exact"):
            Settings.of(None, method=value)
    assert Settings.of(None, method=OwnText("exact")).to_dict()["method"] == "exact"


def test_text_is_kept_by_its_characters() -> None:
    settings = Settings.of(None, likelihood=OwnText("gaussian"), label_column=OwnText("kind"))
    assert settings.model.likelihood == "gaussian" and type(settings.model.likelihood) is str
    assert f"{settings.data.label_column}" == "kind"


def test_a_worker_process_can_send_the_error() -> None:
    with pytest.raises(SettingError) as caught:
        Settings.of(None, shown={"clusters": "n_components"}, clusters=0)
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (type(sent), str(sent), sent.name) == (SettingError, str(caught.value), "clusters")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("more", [{}, {"network": "conv", "input_dim": (1, 9, 9)}])
def test_weights_are_counted_without_building_them(method: str, more: dict[str, Any]) -> None:
    config = {"method": method, **MODEL, **more}
    built = sum(parameter.numel() for parameter in from_config(config).parameters())
    assert parameter_count(config) == built


def test_a_model_beyond_the_memory_is_refused_before_it_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    huge = {"method": "sparse", **MODEL, "hidden": (100_000,) * 100}
    words = r"too little memory for [\d,]+ weights in training, .* lower hidden, channels"
    with pytest.raises(InputError, match=words):
        check_capacity(huge, "cpu")
    seen = []
    monkeypatch.setattr(capacity, "check_memory", lambda n, *_, **options: seen.append(n))
    small = {"method": "sparse", **MODEL}
    check_capacity(small, "cpu")
    assert seen == [20 * parameter_count(small)]
