"""The columns that a table's model was trained on."""

import json

import pytest

from pyro_gmvae.data import Column, LeftOut, Schema
from pyro_gmvae.errors import InputError

ABC = Schema.of_numbers(3, ("a", "b", "c"))


MIXED = Schema(
    (
        Column("tier", "category", "text", levels=("gold", "silver"), weight=0.5, gaps=0.1),
        Column("rooms", "ordinal", levels=(1.0, 2.0, 4.0), why="3 different whole numbers"),
        Column("gain", "spike", usual=0.0),
        Column("since", "date", "date", format="%d.%m.%Y"),
        Column("member", "binary", "boolean", levels=("false", "true")),
    ),
    (LeftOut("id", "it numbers the rows"),),
)


@pytest.mark.parametrize("schema", [ABC, Schema.of_numbers(2), MIXED])
def test_it_comes_back_from_json(schema: Schema) -> None:
    stored = json.loads(json.dumps([schema.to_config(), schema.left_out_config()]))
    assert Schema.from_config(*stored) == schema


def test_a_plain_column_is_stored_as_it_always_was() -> None:
    assert ABC.to_config()[0] == {"name": "a", "kind": "real"}
    old = Schema.from_config([{"name": "a", "kind": "real"}], ["id"])
    assert old.columns == (Column("a"),) and old.left_out == (LeftOut("id"),)


def test_it_is_its_columns() -> None:
    assert len(ABC) == 3
    assert ABC.names == ("a", "b", "c")
    assert ABC.columns[0] == Column("a", "real")


@pytest.mark.parametrize(
    "config",
    [
        *(None, 3, [3], [{"nom": "a"}], [{"name": 3}], [{"name": "a", "kind": "text"}]),
        [{"name": "a", "kind": "category"}],
        [{"name": "a", "kind": "binary", "levels": ["x", "y"]}],
        [{"name": "a", "kind": "binary", "levels": [2, 1]}],
        [{"name": "a", "kind": "category", "cells": "text", "levels": ["x", "x"]}],
        [{"name": "a", "kind": "real", "cells": "text"}],
        [{"name": "a", "kind": "spike"}],
        [{"name": "a", "kind": "spike", "usual": float("nan")}],
        [{"name": "a", "kind": "date", "cells": "date"}],
        [{"name": "a", "kind": "real", "weight": 0}],
        [{"name": "a", "kind": "real", "gaps": 2}],
    ],
)
def test_refuses_a_tampered_config(config: object) -> None:
    with pytest.raises(InputError, match="train again"):
        Schema.from_config(config)
