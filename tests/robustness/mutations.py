"""Damage the content of files in every way that a disk, an editor or a stranger may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

__all__ = ["json_mutations", "mutations"]

# Bytes that mean something to some reader of text, tables, JSON, archives or pictures.
PIECES = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b",",
    b'"',
    b"{}",
    b"[" * 3000,
    b"-1",
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b"\xff" * 8,
    b"x" * 200_000,
)


def mutations(content: bytes, seed: int, n: int) -> Iterator[bytes]:
    """Yield ``n`` damaged copies of ``content``, the same ones for the same seed.

    >>> [len(damaged) for damaged in mutations(b"a,b", seed=0, n=1)] != []
    True
    """
    random = Random(seed)
    changes = (_flipped, _truncated, _beheaded, _without_a_part, _spliced, _repeated, _overwritten)
    for _ in range(n):
        damaged = content
        for _ in range(random.choice((1, 1, 1, 2, 5))):
            damaged = random.choice(changes)(damaged, random)
        yield damaged


def _place(content: bytes, random: Random) -> int:
    # The beginnings of files tell their form, so half of the damage is there.
    most = len(content) if random.random() < 0.5 else min(len(content), 64)
    return random.randrange(most + 1)


def _flipped(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8)) if content else 0):
        at = min(_place(content, random), len(content) - 1)
        changed[at] ^= 1 << random.randrange(8)
    return bytes(changed)


def _truncated(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def _beheaded(content: bytes, random: Random) -> bytes:
    return content[_place(content, random) :]


def _without_a_part(content: bytes, random: Random) -> bytes:
    start, end = sorted((_place(content, random), _place(content, random)))
    return content[:start] + content[end:]


def _spliced(content: bytes, random: Random) -> bytes:
    at = _place(content, random)
    return content[:at] + random.choice(PIECES) + content[at:]


def _repeated(content: bytes, random: Random) -> bytes:
    start, end = sorted((_place(content, random), _place(content, random)))
    at = _place(content, random)
    return content[:at] + content[start:end] + content[at:]


def _overwritten(content: bytes, random: Random) -> bytes:
    at, piece = _place(content, random), random.choice(PIECES)
    return content[:at] + piece + content[at + len(piece) :]


# Values that are seldom what is wanted, as JSON.
ODD = (
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "2",
    "1000000000",
    str(10**30),
    "1" + "0" * 400,
    "9" * 5000,
    "0.5",
    "-2.5",
    "1e300",
    "1e999",
    "-0.0",
    "NaN",
    "-Infinity",
    '""',
    '"1"',
    '"x"',
    r'"\ud800"',
    r'"\u0000"',
    '"../../etc"',
    json.dumps("x" * 100_000),
    "[]",
    "{}",
    "[null]",
    "[[1]]",
    '["a", 1]',
    "[1, 2, 3]",
    '{"a": 1}',
    '{"a": 1, "a": 2}',
    "[" * 60 + "]" * 60,
    "[" * 900 + "]" * 900,
    "[" * 100_000 + "]" * 100_000,
    "[1" + ", 1" * 5000 + "]",
)
MARK = "\x00odd\x00"


def json_mutations(value: Any, seed: int, n: int) -> Iterator[bytes]:
    """Yield ``n`` JSON texts of ``value`` with odd values, other keys, or keys left out or twice.

    >>> texts = list(json_mutations({"size": 3}, seed=0, n=5))
    >>> len(texts), type(texts[0])
    (5, <class 'bytes'>)
    """
    random = Random(seed)
    for _ in range(n):
        changed = {"": deepcopy(value)}
        odd = []
        for _ in range(random.choice((1, 1, 1, 2))):
            _change(changed, odd, random)
        text = json.dumps(changed[""])
        for i, replacement in enumerate(odd):
            text = text.replace(json.dumps(f"{MARK}{i}{MARK}"), replacement)
        yield text.encode()


def _change(root: dict[str, Any], odd: list[str], random: Random) -> None:
    """Change one place, and note the odd value that is to be put there."""
    holder, key = random.choice(list(_places(root)))
    way = random.random()
    if way < 0.75 or key == "":
        odd.append(random.choice(ODD))
        holder[key] = f"{MARK}{len(odd) - 1}{MARK}"
    elif way < 0.85:
        del holder[key]
    elif isinstance(holder, dict):
        holder[random.choice(("magic", "", "self", "data", "x" * 5000, key + "_"))] = holder.pop(
            key
        )
    else:
        holder.insert(key, deepcopy(holder[key]))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        entries = list(value.items())
    else:
        entries = list(enumerate(value)) if isinstance(value, list) else []
    for key, entry in entries:
        yield value, key
        yield from _places(entry)
