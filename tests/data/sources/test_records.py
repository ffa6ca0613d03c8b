"""JSON."""

import pandas
import pytest

from pyro_gmvae.data.sources.records import read_records
from pyro_gmvae.errors import InputError

FRAME = pandas.DataFrame({"spend": [1.5, -2.0], "tier": ["a", "b"]})


@pytest.mark.parametrize(
    "text",
    [
        FRAME.to_json(orient="records"),
        FRAME.to_json(),
        FRAME.to_json(orient="records", lines=True),
        '{"spend": [1.5, -2], "tier": ["a", "b"]}',
        '[{"spend": "1,5", "tier": "a"}, {"tier": "b", "spend": "-2"}]',
    ],
)
def test_forms_of_one_table(text: str) -> None:
    read = read_records(text.encode(), "t.json").frame
    pandas.testing.assert_frame_equal(read, FRAME, check_dtype=False)


def test_a_name_that_a_record_lacks_is_missing() -> None:
    frame = read_records(b'[{"a": 1, "b": true}, {"a": null}]', "t.json").frame
    assert frame["a"].isna().tolist() == [False, True]
    assert frame["b"].tolist()[0] is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not readable JSON"),
        (b'[{"a": 1},', "not readable JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"a":' * 50_000 + b"1" + b"}]" * 50_000, "nested too deeply"),
        (b'[{"a": ' + b"9" * 10_000 + b"}]", "not readable JSON"),
        (b"[1, 2]", "no table: write a list of records"),
        (b'{"a": [1], "b": [1, 2]}', "no table"),
        (b'[{"a": 1}, {"a": [2]}]', r"'\[2\]' in row 1 of a: give a single value"),
        (b"\x1f\x8babc", "packed by gzip"),
    ],
)
def test_refuses(text: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_records(text, "t.json")


def test_halves_of_characters_are_replaced() -> None:
    frame = read_records(b'[{"\\ud800": "\\ud800"}]', "t.json").frame
    assert list(frame) == ["?"] and frame["?"].tolist() == ["?"]


def test_large_whole_numbers_become_floats() -> None:
    frame = read_records(b'[{"a": 1' + b"0" * 400 + b"}]", "t.json").frame
    assert frame["a"].tolist() == [float("inf")]
