"""Damage files at random, by a seeded generator, so that each damage can be made again."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

__all__ = ["mutate_bytes", "mutate_json", "mutate_json_text", "mutate_safetensors"]

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
NUMBERS = ("-1", "0", "1e400", "nan", "inf", "-0.0", "99999999999999999999", "1e-320", "1000000000")
DEEP = "@deep@"  # stands for nesting too deep to be written by json itself
ODD: tuple[Any, ...] = (None, True, -1, 0, 10**9, 10**30, 1e308, 0.5, float("nan"), float("inf"))
ODD += ("", "none", "x" * 10_000, "\ud800", "../../etc", [], [[]], [0] * 3, {}, {"a": None}, DEEP)


def mutate_bytes(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Damage ``content`` in one way; return the name of the way and the result."""
    name, damage = rng.choice(tuple(BYTE_WAYS.items()))
    return name, damage(content, rng)


def mutate_json(value: Any, rng: random.Random) -> tuple[str, Any]:
    """Damage one place of a JSON value; return the name of the way and a damaged copy."""
    places = list(_places(value))
    path = rng.choice(places)
    way = rng.choice(("replaced", "replaced", "removed", "renamed", "added", "wrapped"))
    return f"{way} {'.'.join(map(str, path))}", _changed(value, path, way, rng)


def mutate_json_text(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Damage the JSON value of a file, or the file's bytes."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    name, value = mutate_json(json.loads(content), rng)
    return name, _dump(value)


def mutate_safetensors(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Damage the header of a safetensors file as JSON, or the file's bytes.

    The metadata of a header are strings, which may hold JSON of their own.
    """
    (size,) = struct.unpack("<Q", content[:8])
    if rng.random() < 0.4:
        return mutate_bytes(content, rng)
    header = json.loads(content[8 : 8 + size])
    inner = header.get("__metadata__", {}).get("state")
    if inner is not None and rng.random() < 0.6:
        name, value = mutate_json(json.loads(inner), rng)
        header["__metadata__"]["state"] = _dump(value).decode()
        name = f"state: {name}"
    else:
        name, header = mutate_json(header, rng)
    text = _dump(header)
    return name, struct.pack("<Q", len(text)) + text + content[8 + size :]


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 4, 32))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    if changed:
        changed[rng.randrange(min(len(changed), 256))] = rng.choice(INTERESTING)
    return bytes(changed)


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.choice((0, 1, len(content) - 1, rng.randrange(len(content) + 1)))]


def _splice(content: bytes, rng: random.Random) -> bytes:
    start, end, to = (rng.randrange(len(content) + 1) for _ in range(3))
    return content[:to] + content[min(start, end) : max(start, end)] + content[to:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    return content * rng.randint(2, 4)


def _cut_out(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.choice((1, 8, 64)) :]


def _noise(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.randbytes(rng.choice((1, 16, 512))) + content[start:]


def _number(content: bytes, rng: random.Random) -> bytes:
    """Replace a number that is written in digits."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", content[:100_000]))
    if not found:
        return _flip(content, rng)
    one = rng.choice(found)
    return content[: one.start()] + rng.choice(NUMBERS).encode() + content[one.end() :]


def _lines(content: bytes, rng: random.Random) -> bytes:
    """Swap two lines, repeat one or leave one out."""
    lines = content.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i : i + 1] = rng.choice(([], [lines[i]] * 2, [lines[j]], [lines[i] + b"," + lines[j]]))
    return b"\n".join(lines)


BYTE_WAYS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits flipped": _flip,
    "byte set": _set,
    "truncated": _truncate,
    "spliced": _splice,
    "repeated": _repeat,
    "cut out": _cut_out,
    "noise": _noise,
    "number": _number,
    "lines": _lines,
}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """Name every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value[:20]) if isinstance(value, list) else items
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], way: str, rng: random.Random) -> Any:
    if not path:
        return {"added": {"odd": 1, "value": value}, "removed": None}.get(way, rng.choice(ODD))
    key, *rest = path
    copy = value.copy()
    if rest:
        copy[key] = _changed(copy[key], tuple(rest), way, rng)
    elif way == "removed":
        del copy[key]
    elif way == "wrapped":
        copy[key] = [copy[key]]
    elif way == "renamed" and isinstance(copy, dict):
        copy[f"{key}_"] = copy.pop(key)
    elif way == "added" and isinstance(copy, dict):
        copy[f"{key} too"] = rng.choice(ODD)
    else:
        copy[key] = rng.choice(ODD)
    return copy


def _dump(value: Any) -> bytes:
    depth = 100_000
    return json.dumps(value).replace(f'"{DEEP}"', "[" * depth + "]" * depth).encode()
