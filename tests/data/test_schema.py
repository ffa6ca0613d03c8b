"""The columns that a table's model was trained on."""

import json

import pytest

from pyro_gmvae.data import Column, Schema
from pyro_gmvae.errors import InputError

ABC = Schema.infer(3, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("a", "b", "c"), [0, 1, 2]),
        (("c", "a", "b"), [1, 2, 0]),
        (("b", "a", "c"), [1, 0, 2]),
        (None, [0, 1, 2]),  # without names they are taken to be in order
    ],
)
def test_columns_are_found_by_their_names(names: tuple[str, ...] | None, order: list[int]) -> None:
    assert ABC.order_of(names, "new.csv").tolist() == order


def test_a_table_without_names_takes_any() -> None:
    assert Schema.infer(2).names is None
    assert Schema.infer(2).order_of(("x", "y"), "new.csv").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a", "b"), "^new.csv lacks the column 'c': name the columns as in training$"),
        (
            ("a", "b", "c", "d"),
            "^new.csv has a column 'd' that the model does not know: name the columns",
        ),
        (
            ("a", "b", "d"),
            "^new.csv has a column 'd' that the model does not know and lacks the column 'c': name",
        ),
    ],
)
def test_missing_and_unknown_columns_are_named(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ABC.order_of(names, "new.csv")


@pytest.mark.parametrize("schema", [ABC, Schema.infer(2)])
def test_it_comes_back_from_json(schema: Schema) -> None:
    assert Schema.from_config(json.loads(json.dumps(schema.to_config()))) == schema


def test_it_is_its_columns() -> None:
    assert len(ABC) == 3
    assert ABC.names == ("a", "b", "c")
    assert ABC.columns[0] == Column("a", "real")


@pytest.mark.parametrize(
    "config", [None, 3, [3], [{"nom": "a"}], [{"name": 3}], [{"name": "a", "kind": "text"}]]
)
def test_refuses_a_tampered_config(config: object) -> None:
    with pytest.raises(InputError, match="train again"):
        Schema.from_config(config)
