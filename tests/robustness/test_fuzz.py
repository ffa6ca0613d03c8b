"""Damaged files get a result or one sentence; the long run is a command."""

from __future__ import annotations

import json
import random
import struct
import sys

import pytest

from tests.robustness import fuzz
from tests.robustness.damage import damaged
from tests.robustness.forked import Ended
from tests.robustness.test_kills import harness


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_a_few_damages_are_answered() -> None:
    done = harness("fuzz", "--n", 100, "--seed", 0)
    assert done.returncode == 0, done.stdout + done.stderr


def test_damages_can_be_made_again() -> None:
    content = b"a,b\n1,2\n3,4\n" * 5
    made = [damaged("x.csv", content, random.Random(seed)) for seed in range(200)]
    assert made == [damaged("x.csv", content, random.Random(seed)) for seed in range(200)]
    assert len(set(made)) > 100
    assert sum(one != content for one in made) > 180


def test_nothing_can_be_damaged_too() -> None:
    for seed in range(200):
        damaged("x.csv", b"", random.Random(seed))


def test_json_is_damaged_within() -> None:
    value = {"a": [1, 2, {"b": "c"}], "d": None}
    made = [damaged("x.json", json.dumps(value).encode(), random.Random(s)) for s in range(300)]
    keys = set()
    for one in made:
        try:
            found = json.loads(one)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            keys.add(tuple(found))
    assert ("a", "d") in keys and len(keys) > 5


def test_a_header_is_damaged_within() -> None:
    state = json.dumps({"step": 3})
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    header = json.dumps({"__metadata__": {"state": state}, "w": tensor}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(8)
    inner = outer = 0
    for seed in range(300):
        one = damaged("x.safetensors", content, random.Random(seed))
        size = int.from_bytes(one[:8], "little")
        if one[8 + size :] != bytes(8) or len(one) < 8 + size:
            continue
        try:
            found = json.loads(one[8 : 8 + size])
            inner += found["w"] == tensor and found["__metadata__"]["state"] != state
            outer += found["w"] != tensor
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    assert inner > 20 and outer > 20


@pytest.mark.parametrize(
    ("ended", "result", "faults"),
    [
        (Ended(0, {"answer": "abc"}, "", 0.1, 0, False), "result", 0),
        (Ended(0, {"refused": "a is empty: fill it"}, "", 0.1, 0, False), "refused", 0),
        (Ended(0, {"refused": "a is empty"}, "", 0.1, 0, False), "refused", 1),
        (Ended(0, {"refused": "a:\nb"}, "", 0.1, 0, False), "refused", 1),
        (Ended(0, {"refused": "a: b", "memory": True}, "", 0.1, 0, False), "memory", 1),
        (Ended(0, {"error": "KeyError", "memory": False}, "", 0.1, 0, False), "error", 1),
        (Ended(2, None, "Error: a is empty: fill it\n", 0.1, 0, False), "refused", 0),
        (Ended(2, None, "Usage: x\n\nError: a: b\n", 0.1, 0, False), "refused", 0),
        (Ended(2, None, "a is empty\n", 0.1, 0, False), "refused", 1),
        (Ended(1, None, "Traceback\nKeyError: 'a'\n", 0.1, 0, False), "error", 1),
        (Ended(-9, None, "", 20.1, 0, True), "slow", 1),
        (Ended(-11, None, "", 0.1, 0, False), "died", 1),
        (Ended(0, {"answer": "abc"}, "", 0.1, 3 << 30, False), "memory", 1),
    ],
)
def test_each_end_has_its_word(ended: Ended, result: str, faults: int) -> None:
    word, found = fuzz.classify(ended)
    assert (word, len(found)) == (result, faults)
