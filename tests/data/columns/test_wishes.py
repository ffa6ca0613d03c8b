"""What a user says about columns goes before what is guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from pyro_gmvae.data import Column, Schema, from_frame
from pyro_gmvae.data.columns.wishes import Wishes, read_schema_file, stated_wishes, wishes_of
from pyro_gmvae.errors import InputError

ROWS = 60
RNG = np.random.default_rng(3)
FRAME = pandas.DataFrame(
    {
        "id": np.arange(ROWS),
        "spend": RNG.lognormal(3, 1, ROWS),
        "size": RNG.choice(["L", "M", "S"], ROWS),
        "rooms": RNG.integers(1, 5, ROWS),
        "price": [f"{v:.2f}" for v in RNG.normal(9, 1, ROWS - 1)] + ["cheap"],
        "country": "FR",
    }
)


def described(**said: Any) -> dict[str, Column]:
    schema = from_frame(FRAME, wishes=Wishes(**{"drop": ("price",), **said})).schema
    assert schema is not None
    return {c.name or "": c for c in schema.columns}


def test_kinds_and_weights() -> None:
    found = described(kinds={"id": "real", "rooms": "count", "spend": "real"}, weights={"size": 3})
    assert list(found) == ["id", "spend", "size", "rooms"]
    assert [c.kind for c in found.values()] == ["real", "real", "category", "count"]
    assert found["id"].why == "by the user" and found["size"].weight == 3


def test_order_of_levels() -> None:
    levels = ("S", "M", "L")
    found = described(kinds={"size": "ordinal"}, levels={"size": levels})["size"]
    assert found.levels == levels and found.kind == "ordinal"


def test_columns_that_are_dropped_or_named() -> None:
    assert list(described(only=("size", "spend"), drop=())) == ["spend", "size"]
    assert list(described(drop=("price", "size"))) == ["spend", "rooms"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"kinds": {"spent": "real"}}, "table has no column spent: did you mean spend?"),
        ({"drop": ("q",)}, "table has no column q: it has id, spend"),
        ({"kinds": {"size": "real"}}, "holds 'L|M|S' in row 0 of size, where the model knows a n"),
        ({"kinds": {"size": "date"}}, "size of table has no dates that can be read"),
        ({"kinds": {"rooms": "binary"}}, "rooms of table has 4 different values, so it cannot"),
        ({"kinds": {"spend": "count"}}, "in row 0 of spend, where the model knows a count"),
        ({"kinds": {"country": "category"}}, "the same value in every row in the column country"),
        ({"kinds": {"price": "real"}, "drop": ()}, "holds 'cheap' in row 59 of price"),
        ({"drop": ()}, "column price of numbers with a cell that is not .*: row 59 holds 'cheap'"),
        ({"kinds": {"price": "real"}}, "price is to be dropped and to be used"),
        ({"weights": {"size": 0.0}}, "weight of the column size is 0: choose one above 0"),
        ({"only": ("country",)}, "no cell|same value"),
    ],
)
def test_what_does_not_fit_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        described(**said)


@pytest.mark.parametrize(
    ("kinds", "weights", "words"),
    [
        (["age"], [], "column is 'age', which names no column: write it like name=category"),
        (["age=cuont"], [], "schema says 'cuont' of the column age: did you mean count?"),
        ([], ["age=heavy"], "weight of the column age is 'heavy': give a number"),
    ],
)
def test_texts_are_read_or_refused(kinds: list[str], weights: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        stated_wishes(kinds, [], [], weights)
    assert stated_wishes(["a=b=count"], [], [], []).kinds == {"a=b": "count"}


def test_a_file_is_read_changed_and_outdone(tmp_path: Path) -> None:
    schema = from_frame(FRAME, wishes=Wishes(drop=("price",))).schema
    assert schema is not None
    path = tmp_path / "columns.json"
    content = schema.to_file()
    content["columns"][0]["kind"] = "real"  # spend
    content["columns"][1] |= {"kind": "ordinal", "levels": ["S", "M", "L"]}
    path.write_text(json.dumps(content))
    said = wishes_of(path).and_then(stated_wishes(["rooms=count"], [], [], ["spend=0.5"]))
    found = from_frame(FRAME, wishes=said).schema
    assert found is not None and found.names == ("spend", "size", "rooms")
    assert [c.kind for c in found.columns] == ["real", "ordinal", "count"]
    assert found.columns[1].levels == ("S", "M", "L") and found.columns[0].weight == 0.5
    assert from_frame(FRAME, wishes=wishes_of(found)).schema is not None
    assert wishes_of(found) == wishes_of(Schema(found.columns, found.left_out))


@pytest.mark.parametrize(
    "content", ["", "3", "[]", '{"columns": 3}', '{"columns": [{"name": "a", "kind": "b"}]}', "{}"]
)
def test_a_file_that_is_no_schema_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "columns.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"columns\.json is no description|schema says 'b'"):
        read_schema_file(path)
    with pytest.raises(InputError, match="no schema file"):
        read_schema_file(tmp_path / "other.json")


@pytest.mark.parametrize("said", [3, ["a"], {"a": "b"}, {"a": 3}])
def test_a_schema_of_another_type_is_refused(said: Any) -> None:
    with pytest.raises(InputError, match="schema"):
        wishes_of(said)


def test_levels_of_numbers_are_in_order_whatever_a_file_says() -> None:
    found = described(kinds={"rooms": "ordinal"}, levels={"rooms": (4, 1, 2)})["rooms"]
    assert found.levels == (1.0, 2.0, 4.0)
    data = from_frame(
        FRAME, wishes=Wishes({"rooms": "ordinal"}, {"rooms": (4, 1, 2)}, {}, ("price",))
    )
    assert any("'3' in rooms is no level" in note for note in data.notes)
    assert data.x[:, 2].isnan().tolist() == (FRAME["rooms"] == 3).tolist()
