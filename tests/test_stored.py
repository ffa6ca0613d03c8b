"""JSON of a stranger becomes the type that its reader expects, or is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import DamagedError, cut, parse_json, read_bytes, shortened, typed

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@dataclass(frozen=True)
class Inner:
    sizes: tuple[int, ...]
    word: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner | None = None
    figures: list[dict[str, float]] = field(default_factory=list)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, -3, -3),
        (float, 2, 2),
        (float, 0.5, 0.5),
        (bool, True, True),
        (str, "é", "é"),
        (None, None, None),
        (int | None, None, None),
        (str | Sequence[int], [1, 2], (1, 2)),
        (tuple[str, ...], ["a"], ("a",)),
        (list[int], [], []),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
        (Literal["x", 2], 2, 2),
        (Any, {"a": [1, None, {"b": "c"}]}, {"a": [1, None, {"b": "c"}]}),
        (Inner, {"sizes": [3]}, Inner((3,))),
        (Outer, {"name": "n", "inner": {"sizes": []}}, Outer("n", Inner(()))),
        (Outer, {"name": "n", "figures": [{"a": 1.5}]}, Outer("n", figures=[{"a": 1.5}])),
    ],
)
def test_what_fits(hint: Any, value: Any, expected: Any) -> None:
    found = typed(hint, value, "it")
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "words"),
    [
        (int, True, "it is True, which is no int"),
        (int, 2.0, "it is 2.0, which is no int"),
        (int, 2**63, "too many digits"),
        (float, 10**400, "too many digits"),
        (float, "1", "it is '1', which is no float"),
        (bool, 1, "it is 1, which is no bool"),
        (str, 3, "it is 3, which is no str"),
        (str, "a\0b", "which no text may hold"),
        (str, "\ud800", "which no text may hold"),
        (str, "x" * 70_000, "a text of 70,000 characters"),
        (int | None, "a", "it is 'a', which is no int"),
        (Literal[1], True, "which is no Literal"),
        (tuple[int, ...], {"a": 1}, "which is no tuple"),
        (tuple[int, ...], [1, [2]], r"it is \[2\], which is no int"),
        (dict[str, int], [1], "which is no dict"),
        (dict[str, int], {"a": None}, "it.a is None, which is no int"),
        (Inner, [1], "which is no Inner"),
        (Inner, {}, "lacks the entry 'sizes'"),
        (Inner, {"sizes": [], "magic": 1}, "unknown entry 'magic'"),
        (Outer, {"name": "n", "inner": {"sizes": ["x"]}}, "it.inner.sizes is 'x'"),
        (Any, {"a": object()}, "which is no JSON"),
        (Any, json.loads("[" * 50 + "]" * 50), "nested too deeply"),
        (bytes, "x", "which is no bytes"),
    ],
)
def test_what_does_not_fit(hint: Any, value: Any, words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        typed(hint, value, "it")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe", "utf-8"),
        (b'{"a": 1, "a": 2}', "names an entry twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "limit"),
        (b"\xef\xbb\xbf{}", "BOM"),
    ],
)
def test_what_is_no_json(content: bytes, words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        parse_json(content)


def test_no_more_is_read_than_a_file_may_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"12345")
    assert read_bytes(path, most=5) == b"12345"
    with pytest.raises(DamagedError, match="larger than 4 bytes"):
        read_bytes(path, most=4)


def test_messages_stay_short() -> None:
    assert issubclass(DamagedError, InputError)
    assert len(shortened("x" * 10**6)) <= 80 and len(shortened(list(range(10**5)))) <= 80
    assert len(cut("two\nlines" * 1000)) < 250 and "\n" not in cut("two\nlines")
